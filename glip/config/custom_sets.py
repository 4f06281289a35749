"""What ``custom_data`` names, as data sets with files, names and prompts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from glip.config.coco_folders import find_sets
from glip.errors import ConfigError, DatasetError

TYPES = {'coco': 'CocoDataset', 'odvg': 'ODVGDataset', 'mdetr': 'MDETRDataset'}
_KEYS = {
    *('ann_file', 'img', 'data_root', 'name', 'format', 'repeat', 'label_map'),
    *('classes', 'category_names', 'caption_prompt'),
    *('min_score', 'singular_score', 'weigh_by_score'),
}
_OF_TEACHERS = ('min_score', 'singular_score', 'weigh_by_score')
_SPLITS = ('val', 'test')


@dataclass(frozen=True)
class CustomSet:
    """One data set of one stage.

    Attributes:
        name: Its heading in the results.
        format: A key of ``TYPES``.
        data_root: What the next two are below.
        ann_file: The annotations.
        img: Folder of the pictures.
        classes: Which, in which order; None for those of the file.
        category_names: What the categories of the file are called instead.
        caption_prompt: Other words for classes.
        label_map: Names of the labels of an ODVG file.
        scores: What is done with the scores of an ODVG file in training:
            ``min_score``, ``singular_score`` and ``weigh_by_score`` of
            :class:`~glip.datasets.ODVGDataset`.
        repeat: How often training sees it per epoch.
        split: Which split of a set found in a folder.
        absent: What was looked for and is not there.
    """

    name: str
    format: str
    data_root: str
    ann_file: str
    img: str
    classes: tuple[str, ...] | None = None
    category_names: tuple[str, ...] | None = None
    caption_prompt: Mapping[str, Any] | None = None
    label_map: str | None = None
    scores: Mapping[str, Any] = field(default_factory=dict)
    repeat: int = 1
    split: str | None = None
    absent: str | None = None

    @property
    def path(self) -> str:
        """Of the annotations."""
        return os.path.join(self.data_root, self.ann_file)

    @property
    def facts(self) -> dict[str, Any]:
        """What a table of results should know of it."""
        known = {'name': self.name}
        for key in ('split', 'absent', 'caption_prompt'):
            if getattr(self, key):
                known[key] = getattr(self, key)
        return known


def check_keys(given: Mapping[str, Any], known: set[str], where: str) -> None:
    """A misspelt key must not be silently without effect.

    Raises:
        ConfigError: One is unknown.
    """
    unknown = sorted(set(given) - known)
    if unknown:
        raise ConfigError(
            f'{where} has unknown keys {", ".join(unknown)}; it takes '
            f'{", ".join(sorted(known))}'
        )


def sets_by_stage(custom: Mapping[str, Any]) -> dict[str, list[CustomSet]]:
    """The sets of ``train``, ``val`` and ``test``; an empty list for no such stage.

    Raises:
        ConfigError: Keys are unknown, missing, or exclude each other.
        DatasetError: There is no such folder, no set in it, or none of the sets.
    """
    if custom.get('folder'):
        stages = _from_folder(custom)
    else:
        for key in ('split', 'train_split'):
            if custom.get(key):
                raise ConfigError(f'custom_data.{key} needs custom_data.folder')
        stages = {stage: _named(custom, stage) for stage in ('train', 'val', 'test')}
        stages['test'] = stages['test'] or stages['val']
    if not any(stages.values()):
        raise ConfigError(
            'custom_data names neither train nor val nor test nor a folder'
        )
    for stage in _SPLITS:
        stages[stage] = _checked(stages[stage], stage, custom)
    if not custom.get('use_caption_prompt', True):
        stages = {
            stage: [replace(entry, caption_prompt=None) for entry in sets]
            for stage, sets in stages.items()
        }
    return stages


def _named(custom: Mapping[str, Any], stage: str) -> list[CustomSet]:
    """The sets of one stage, as they are written down."""
    given = custom.get(stage) or []
    given = [given] if isinstance(given, (str, Mapping)) else given
    sets = []
    for number, entry in enumerate(given):
        where = f'custom_data.{stage}' + (f'[{number}]' if len(given) > 1 else '')
        entry = {'ann_file': entry} if isinstance(entry, str) else dict(entry)
        check_keys(entry, _KEYS, where)
        if not entry.get('ann_file'):
            raise ConfigError(f'{where} needs ann_file, its annotations')
        root = entry.get('data_root', custom.get('data_root')) or ''
        folder = entry.get('img')
        if folder is None:
            folder = os.path.dirname(entry['ann_file'])
        classes = entry.get('classes', custom.get('classes'))
        sets.append(
            CustomSet(
                name=entry.get('name') or _name(root, entry['ann_file']),
                format=_format(entry, stage, where),
                data_root=root,
                ann_file=entry['ann_file'],
                img=folder,
                classes=_tuple(classes),
                category_names=_tuple(entry.get('category_names')),
                caption_prompt=entry.get('caption_prompt'),
                label_map=entry.get('label_map'),
                scores={key: entry[key] for key in _OF_TEACHERS if key in entry},
                repeat=entry.get('repeat', 1) if stage == 'train' else 1,
            )
        )
    return sets


def _from_folder(custom: Mapping[str, Any]) -> dict[str, list[CustomSet]]:
    """All sets of a folder, to test, and perhaps to train and validate on."""
    both = [stage for stage in ('train', 'val', 'test') if custom.get(stage)]
    if both:
        raise ConfigError(
            f'custom_data has both folder and {", ".join(both)}: name the sets, or the '
            'folder they are in (train_split trains on its sets)'
        )
    folder = os.path.join(custom.get('data_root') or '', custom['folder'])
    stages = {'train': custom.get('train_split'), 'test': custom.get('split') or 'val'}
    sets = {}
    for stage, splits in stages.items():
        sets[stage] = [
            CustomSet(
                name=folder_set.name,
                format='coco',
                data_root=folder_set.root,
                ann_file=folder_set.ann_file,
                img=folder_set.img,
                classes=_tuple(custom.get('classes')),
                split=folder_set.split,
                absent=None if folder_set.split else os.path.abspath(folder_set.path),
            )
            for folder_set in (find_sets(folder, splits) if splits else ())
        ]
    lacking = [entry for entry in sets['train'] if entry.absent]
    if lacking:
        raise DatasetError(
            f'{len(lacking)} of {len(sets["train"])} sets in {folder} have no split '
            f'{stages["train"]!r} to train on, the first is {lacking[0].name}: looked '
            f'for {lacking[0].absent}'
        )
    return sets | {'val': sets['test'] if sets['train'] else []}


def _checked(
    sets: list[CustomSet], stage: str, custom: Mapping[str, Any]
) -> list[CustomSet]:
    """With ``skip_missing`` mark what is not there; a folder must have its split."""
    if custom.get('skip_missing'):
        sets = [entry if entry.absent else _looked_for(entry) for entry in sets]
    absent = [entry for entry in sets if entry.absent]
    if not absent or (custom.get('skip_missing') and len(absent) < len(sets)):
        return sets
    if custom.get('folder'):
        problem = (
            f'sets in {custom["folder"]} have no split {custom.get("split", "val")!r}'
        )
        advice = 'choose another by custom_data.split'
    else:
        problem = f'sets of custom_data.{stage} are not there'
        advice = 'set custom_data.data_root'
    if len(absent) < len(sets):
        advice += ', or evaluate the others with custom_data.skip_missing=True'
    raise DatasetError(
        f'{len(absent)} of {len(sets)} {problem}, the first is {absent[0].name}: '
        f'looked for {absent[0].absent}; {advice}'
    )


def _looked_for(entry: CustomSet) -> CustomSet:
    """The set, marked where its annotations or the folder of pictures are not there."""
    if '://' in entry.data_root:
        return entry
    path = os.path.abspath(entry.path)
    if not os.path.isfile(path):
        return replace(entry, absent=path)
    pictures = os.path.abspath(os.path.join(entry.data_root, entry.img))
    return entry if os.path.isdir(pictures) else replace(entry, absent=pictures)


def _format(entry: Mapping[str, Any], stage: str, where: str) -> str:
    """How the annotations are written: as said, or by the name of the file."""
    by_name = 'odvg' if str(entry['ann_file']).endswith('.jsonl') else 'coco'
    kind = entry.get('format') or by_name
    if kind not in TYPES:
        known = ', '.join(TYPES)
        raise ConfigError(f'{where} has the format {kind!r}; known: {known}')
    if entry.get('label_map') and kind != 'odvg':
        raise ConfigError(
            f'{where} has a label_map, which only the odvg format (.jsonl) takes'
        )
    if set(_OF_TEACHERS) & entry.keys() and (kind != 'odvg' or stage != 'train'):
        raise ConfigError(
            f'{where}: {", ".join(_OF_TEACHERS)} are for training on the odvg format '
            '(.jsonl), which has scores'
        )
    if entry.get('label_map') and stage != 'train':
        raise ConfigError(
            f'{where}: detection records of ODVG are for training; name the '
            'COCO-format file of the same pictures to evaluate'
        )
    return kind


def _name(root: str, ann_file: str) -> str:
    """What to call a set that has no name: its folder."""
    path = os.path.normpath(os.path.join(root, ann_file))
    folders = os.path.dirname(path).split(os.sep)
    plain = {'annotations', 'train', 'valid', 'val', 'test', 'train2017', 'val2017'}
    useful = [folder for folder in folders if folder and folder not in plain]
    return useful[-1] if useful else 'data'


def _tuple(names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    return (names,) if isinstance(names, str) else tuple(names)
