"""Few-shot runs: every task once, whatever interrupts them."""

from __future__ import annotations

import contextlib
import gc
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger, print_log

from glip.checkpoints.latest import latest_checkpoint
from glip.config.custom_sets import CustomSet
from glip.datasets.coco_file import CocoFile, read_coco
from glip.engine.run import run_test, run_training
from glip.errors import ConfigError, DatasetError, ImageError, TrainingError, one_line
from glip.report.log_figures import draw_curves
from glip.runtime.feature_cache import Recent
from glip.runtime.leaves import iter_leaves
from glip.teach.few_shot.draws import count_boxed, draw_shots, write_draw
from glip.teach.few_shot.figure import draw_efficiency
from glip.teach.few_shot.results import FewShotTable, Result
from glip.teach.few_shot.sets import FewShotSet
from glip.teach.few_shot.settings import check_settings
from glip.teach.few_shot.tasks import (
    ALL,
    MONITOR,
    Shots,
    Task,
    list_tasks,
    test_config,
    training_config,
)

_annotations: Recent[CocoFile] = Recent(8)


class FewShotRun:
    """All tasks of a command, and their table.

    Every task has a folder ``<set>/<tuning>/<shots>_shot_seed<seed>`` with its log, its
    best weights and, once it is done, ``result.json``. A task that is done is not run
    again; one that was interrupted goes on from its last epoch.

    Args:
        cfg: Model, pipelines, optimiser and evaluator.
        weights: Where every training starts.
        work_dir: Folder of tasks and table.
        sets: What is learnt.
        max_epochs: Epochs at most, instead of those of the original.
        val_shots: Validate on this many pictures of each class, drawn once for all
            tasks, in place of the whole split.
        keep_weights: Keep the best weights of each task.

    Raises:
        ConfigError: The folder holds runs of other settings, or a number is too small.
        DatasetError: A set cannot be used.
    """

    def __init__(
        self,
        cfg: Config,
        weights: str,
        work_dir: str | os.PathLike[str],
        sets: Sequence[FewShotSet],
        *,
        max_epochs: int | None = None,
        val_shots: int | None = None,
        keep_weights: bool = True,
    ) -> None:
        for flag, value in (('max-epochs', max_epochs), ('val-shots', val_shots)):
            if value is not None and value < 1:
                raise ConfigError(f'--{flag} must be 1 or more, not {value}')
        self.cfg, self.weights = cfg, weights
        self.work_dir = Path(work_dir)
        self.max_epochs, self.val_shots = max_epochs, val_shots
        self.keep_weights = keep_weights
        self.about = check_settings(self.work_dir, cfg, weights, val_shots=val_shots)
        self.sets = [self._named(entry) for entry in sets]
        self._annotations = {e.name: e.fingerprint() for e in self.sets}

    def run(
        self,
        shots: Sequence[Shots],
        tunings: Sequence[str],
        seeds: Sequence[int],
        notes: Sequence[str] = (),
    ) -> FewShotTable:
        """Do what is not done yet.

        Args:
            shots: Pictures of each class, 0 for none, ``'all'``.
            tunings: What is trained.
            seeds: Of draws and trainings.
            notes: Lines below the table.

        Returns:
            The table of all tasks done in the work directory, which is also written
            there after each.

        Raises:
            DatasetError: Annotations changed since a task was done.
            GLIPError: Config or weights cannot be used. What concerns one task alone
                is noted below the table.
        """
        if negative := [seed for seed in seeds if seed < 0]:
            raise ConfigError(f'--seeds must be 0 or more, not {negative[0]}')
        tasks = list_tasks(self.sets, shots, tunings, seeds)
        notes = list(notes)
        todo = [task for task in tasks if self._result(task) is None]
        print_log(f'{len(tasks)} tasks, {len(tasks) - len(todo)} of them done before')
        begin = time.monotonic()
        for number, task in enumerate(todo, start=1):
            print_log(f'[{number}/{len(todo)}] {task.label}')
            try:
                result = self._run(task)
            except (DatasetError, ImageError, TrainingError) as error:
                notes.append(f'{task.label} failed: {one_line(error)}')
                print_log(f'  failed: {one_line(error)}')
                continue
            passed = time.monotonic() - begin
            print_log(f'  {_summary(result)}; {_eta(passed, number, len(todo))}')
            self.table(notes).write(self.work_dir)
        table = self.table(notes)
        if table.results:
            table.write(self.work_dir)
            draw_efficiency(table, self.work_dir / 'few_shot.png')
        return table

    def table(self, notes: Sequence[str] = ()) -> FewShotTable:
        """All that is done in the work directory, sets of this run first."""
        files = sorted(self.work_dir.glob('*/**/result.json'))
        results = [r for file in files if (r := Result.read(file.parent)) is not None]
        order = {entry.name: number for number, entry in enumerate(self.sets)}
        results.sort(key=lambda r: order.get(r.set, len(order)))
        return FewShotTable(tuple(results), self.about, tuple(notes))

    def _result(self, task: Task) -> Result | None:
        """That of a task, if it is done."""
        result = Result.read(self.work_dir / task.folder)
        if result and result.annotations != self._annotations[task.data.name]:
            raise DatasetError(
                f'annotations of {task.data.name} changed since {task.label} was done; '
                f'name another --work-dir, or delete {self.work_dir / task.data.name}'
            )
        return result

    def _named(self, entry: FewShotSet) -> FewShotSet:
        """The set with the classes of its training split, which all stages ask for.

        Raises:
            DatasetError: A split lacks boxes or one of these classes.
        """
        names = _read(entry.train).names
        splits = {
            stage: data and replace(data, classes=names)
            for stage, data in (
                ('train', entry.train),
                ('val', entry.val),
                ('test', entry.test),
            )
        }
        for data in (splits['val'], splits['test']):
            if data is not None:
                coco = _read(data)
                if not count_boxed(coco, coco.images):
                    raise DatasetError(
                        f'{entry.name}: none of the {len(coco.images)} pictures of '
                        f'{data.path} has a box to measure by'
                    )
        return replace(entry, **splits)

    def _run(self, task: Task) -> Result:
        """Train and test, in the task's folder."""
        folder = self.work_dir / task.folder
        begin = time.monotonic()
        if task.shots == 0:
            return self._test_only(task, folder, begin)
        train, pictures, short = self._drawn(task)
        cfg = training_config(
            self.cfg, task, train, self._validation(task), max_epochs=self.max_epochs
        )
        latest = latest_checkpoint(folder)
        cfg.resume = latest is not None
        cfg.load_from = str(latest or self.weights)
        with _in_folder(cfg, folder, task):
            runner = run_training(cfg)
            history = runner.message_hub.runtime_info
            best, epochs = Path(history['best_ckpt']), runner.epoch
            val_ap, epoch = float(history['best_score']), _number(best)
            runner.load_checkpoint(str(best))
            values = runner.test()
            draw_curves(folder)
            del runner
        weights = self._settle(folder, best)
        result = self._to_result(
            task,
            values,
            pictures=pictures,
            short=short,
            val_AP=val_ap,
            epoch=epoch,
            epochs=epochs,
            max_epochs=cfg.train_cfg.max_epochs,
            seconds=time.monotonic() - begin,
            weights=weights and os.path.relpath(weights, self.work_dir),
        )
        result.write(folder)
        return result

    def _test_only(self, task: Task, folder: Path, begin: float) -> Result:
        cfg = test_config(self.cfg, task)
        cfg.load_from = self.weights
        with _in_folder(cfg, folder, task):
            values = run_test(cfg)
        seconds = time.monotonic() - begin
        result = self._to_result(task, values, seconds=seconds)
        result.write(folder)
        return result

    def _to_result(
        self, task: Task, values: Mapping[str, float], **more: Any
    ) -> Result:
        tested = task.data.tested
        count = len(_read(tested).images)
        split = f'test split, {count} pictures'
        if task.data.test is None:
            split = f'validation split, {count} pictures: there is no test split'
        return Result(
            set=task.data.name,
            shots=task.shots,
            tuning=task.tuning,
            seed=task.seed,
            AP=values[MONITOR],
            AP50=values[f'{MONITOR}_50'],
            tested=split,
            annotations=self._annotations[task.data.name],
            **more,
        )

    def _drawn(self, task: Task) -> tuple[CustomSet, int, Mapping[str, int]]:
        """What a task trains on, how many pictures, and classes with too few."""
        train = task.data.train
        coco = _read(train)
        if task.shots == ALL:
            return train, count_boxed(coco, coco.images), {}
        name = f'fewshot_train_shot{task.shots}_seed{task.seed}.json'
        official = _beside(train, name)
        if official is not None:
            drawn = _read(official)
            print_log(f'  pictures of {official.path}')
            return official, count_boxed(drawn, drawn.images), {}
        draw = draw_shots(
            coco, int(task.shots), int(task.seed or 0), min_size=self._min_size
        )
        path = self.work_dir / task.data.name / name
        write_draw(path, coco, draw.images)
        for class_name, count in draw.short.items():
            print_log(f'  only {count} pictures show {class_name}')
        return _written(train, path), len(draw.images), draw.short

    def _validation(self, task: Task) -> CustomSet:
        """What a task validates on."""
        val = task.data.val
        if self.val_shots is not None:
            path = self.work_dir / task.data.name / f'val_shot{self.val_shots}.json'
            coco = _read(val)
            draw = draw_shots(coco, self.val_shots, seed=1)
            write_draw(path, coco, draw.images)
            return _written(val, path)
        name = f'fewshot_val_shot{task.shots}_seed{task.seed}.json'
        return _beside(val, name) or val

    @property
    def _min_size(self) -> int:
        """Smallest side of pictures that the training data set keeps."""
        loader = self.cfg.get('train_dataloader') or {}
        leaf = next(iter_leaves(loader.get('dataset') or {}), {})
        return (leaf.get('filter_cfg') or {}).get('min_size', 0)

    def _settle(self, folder: Path, best: Path) -> Path | None:
        """Keep of the checkpoints what is of use later."""
        for path in (*folder.glob('epoch_*.pth'), folder / 'last_checkpoint'):
            path.unlink(missing_ok=True)
        if self.keep_weights:
            return best
        best.unlink()
        return None


def _read(data: CustomSet) -> CocoFile:
    """Annotations, of which those read last are remembered."""
    key = (data.path, data.classes, data.category_names)
    return _annotations.get(
        key,
        lambda: read_coco(data.path, data.classes, category_names=data.category_names),
    )


def _beside(data: CustomSet, name: str) -> CustomSet | None:
    """A file of the original's draws, where the data has it."""
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


@contextlib.contextmanager
def _in_folder(cfg: Config, folder: Path, task: Task) -> Iterator[None]:
    """Run something with logs in its folder alone, and leave nothing open behind."""
    cfg.work_dir = str(folder)
    # Of its own, as mmengine keeps loggers and histories by this name.
    cfg.experiment_name = task.folder.replace(os.sep, '_')
    try:
        with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        for kept in (MMLogger, MessageHub):
            for name in [n for n in kept._instance_dict if cfg.experiment_name in n]:
                instance = kept._instance_dict.pop(name)
                for handler in getattr(instance, 'handlers', ()):
                    handler.close()
        gc.collect()


def _number(checkpoint: Path) -> int:
    """The epoch in the name of a checkpoint."""
    return int(checkpoint.stem.rpartition('_')[2])


def _summary(result: Result) -> str:
    text = f'AP {100 * result.AP:.1f}'
    if result.epoch:
        text += (
            f' (epoch {result.epoch} of {result.epochs}, {result.pictures} pictures)'
        )
    return f'{text}, {result.seconds:.0f} s'


def _eta(passed: float, done: int, total: int) -> str:
    minutes = passed / done * (total - done) / 60
    return f'about {minutes:.0f} min to go'
