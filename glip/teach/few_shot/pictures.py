"""Which annotation files the stages of a task read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmengine.config import Config

from glip.config.custom_sets import CustomSet
from glip.datasets.coco_file import CocoFile, read_coco
from glip.errors import DatasetError
from glip.runtime.feature_cache import Recent
from glip.runtime.leaves import iter_leaves
from glip.teach.few_shot.draws import (
    count_boxed,
    draw_shots,
    shortage,
    write_draw,
)
from glip.teach.few_shot.sets import FewShotSet
from glip.teach.few_shot.tasks import ALL, Task

_REMEMBERED = 8  # annotation files; those of COCO take a gigabyte each
_VAL_SEED = 1


@dataclass(frozen=True)
class Learned:
    """What a task trains on.

    Attributes:
        data: Annotations and folder.
        pictures: How many there are.
        short: Class -> in how many it is, where these are fewer than asked for.
        remarks: Lines for the log.
    """

    data: CustomSet
    pictures: int
    short: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


class TaskPictures:
    """Draws pictures for tasks, or takes the draws that the data brings.

    The original's draws are ``fewshot_train_shot<N>_seed<S>.json`` beside the
    annotations of the training split, and ``fewshot_val_...`` beside those of the
    validation split. Draws of ours are written under the same names.

    Args:
        cfg: Its training data set says how small pictures may be.
        work_dir: Draws are written to ``<work_dir>/<set>/``.
        val_shots: Pictures of each class to validate on; None for the whole split.
    """

    def __init__(self, cfg: Config, work_dir: Path, val_shots: int | None) -> None:
        self.work_dir, self.val_shots = work_dir, val_shots
        loader = cfg.get('train_dataloader') or {}
        dataset = next(iter_leaves(loader.get('dataset') or {}), {})
        self._min_size = (dataset.get('filter_cfg') or {}).get('min_size', 0)
        self._files: Recent[CocoFile] = Recent(_REMEMBERED)

    def read(self, data: CustomSet) -> CocoFile:
        """Annotations; those read last are remembered."""
        key = (data.path, data.classes, data.category_names)
        return self._files.get(
            key,
            lambda: read_coco(
                data.path, data.classes, category_names=data.category_names
            ),
        )

    def with_classes(self, entry: FewShotSet) -> FewShotSet:
        """The set with the classes of its training split, which all stages ask for.

        Raises:
            DatasetError: A split lacks boxes or one of these classes.
        """
        names = self.read(entry.train).names
        train, val = (replace(d, classes=names) for d in (entry.train, entry.val))
        test = None if entry.test is None else replace(entry.test, classes=names)
        for data in (train, val, test):
            if data is None:
                continue
            coco = self.read(data)
            if not count_boxed(coco, coco.images):
                purpose = 'learn from' if data is train else 'measure by'
                raise DatasetError(
                    f'{entry.name}: none of the {len(coco.images)} pictures of '
                    f'{data.path} has a box to {purpose}'
                )
        return replace(entry, train=train, val=val, test=test)

    def learned(self, task: Task) -> Learned:
        """What a task trains on."""
        train = task.data.train
        coco = self.read(train)
        if task.shots == ALL:
            return Learned(train, count_boxed(coco, coco.images))
        name = f'fewshot_train_shot{task.shots}_seed{task.seed}.json'
        given = _beside(train, name)
        if given is not None:
            drawn = self.read(given)
            remark = f'pictures of {given.path}'
            count = count_boxed(drawn, drawn.images)
            return Learned(given, count, remarks=(remark,))
        draw = draw_shots(
            coco, int(task.shots), int(task.seed or 0), min_size=self._min_size
        )
        path = self.work_dir / task.data.name / name
        write_draw(path, coco, draw.images)
        remarks = (shortage(name, count) for name, count in draw.short.items())
        return Learned(
            _written(train, path), len(draw.images), draw.short, tuple(remarks)
        )

    def validated(self, task: Task) -> CustomSet:
        """What the best epoch of a task is chosen by."""
        val = task.data.val
        if self.val_shots is None:
            name = f'fewshot_val_shot{task.shots}_seed{task.seed}.json'
            return _beside(val, name) or val
        path = self.work_dir / task.data.name / f'val_shot{self.val_shots}.json'
        if not path.is_file():
            coco = self.read(val)
            draw = draw_shots(coco, self.val_shots, _VAL_SEED)
            write_draw(path, coco, draw.images)
        return _written(val, path)


def _beside(data: CustomSet, name: str) -> CustomSet | None:
    """A file beside the annotations, where there is one."""
    file = os.path.join(os.path.dirname(data.ann_file), name)
    entry = replace(data, ann_file=file)
    return entry if os.path.isfile(entry.path) else None


def _written(data: CustomSet, path: Path) -> CustomSet:
    """The same pictures by an annotation file of ours, which has the final names."""
    return replace(
        data,
        data_root='',
        ann_file=str(path),
        img=os.path.join(data.data_root, data.img),
        category_names=None,
    )
