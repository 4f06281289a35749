"""Data sets of few-shot runs: folders, lists of ODinW, or those of a config."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glip.config.coco_folders import FolderSet, find_sets, split_of_set
from glip.config.custom_sets import CustomSet, sets_by_stage
from glip.config.files import read_config
from glip.errors import ConfigError, DatasetError
from glip.paths import config_root

LISTS = ('odinw13', 'odinw35')
_VAL = ('val', 'minival')


@dataclass(frozen=True)
class FewShotSet:
    """One data set.

    Attributes:
        name: What it is called, also its folder in the work directory.
        train: What pictures are drawn from.
        val: What the best epoch is chosen by.
        test: What results are measured on; None stands for ``val``.
    """

    name: str
    train: CustomSet
    val: CustomSet
    test: CustomSet | None = None

    @property
    def tested(self) -> CustomSet:
        """What results are measured on."""
        return self.test or self.val

    def fingerprint(self) -> str:
        """Changes with the annotations.

        Raises:
            DatasetError: A file cannot be read.
        """
        digest = hashlib.sha256()
        for entry in (self.train, self.val, self.tested):
            try:
                digest.update(Path(entry.path).read_bytes())
            except OSError as error:
                raise DatasetError(
                    f'annotation file {entry.path} cannot be read: {error.strerror}'
                ) from error
        return digest.hexdigest()[:16]


def few_shot_sets(
    data: Sequence[str],
    custom: Mapping[str, Any] | None = None,
    *,
    skip_missing: bool = False,
) -> tuple[list[FewShotSet], list[str]]:
    """The data sets that are meant, each with its splits.

    Args:
        data: Folders in COCO's format, folders of such folders
            (:func:`glip.config.coco_folders.find_sets`), ``'odinw13'`` or
            ``'odinw35'``; empty for what ``custom`` names.
        custom: ``custom_data`` of the config. Its ``data_root`` is also where the sets
            of ODinW are, by default ``data/odinw``; with ``use_caption_prompt`` these
            are asked for in the original's words.
        skip_missing: Leave out sets that are not there or lack a split.

    Returns:
        The sets, and a line about each one left out.

    Raises:
        ConfigError: No data is named, or two sets have one name.
        DatasetError: A folder or set is not there, or has nothing to train on or to
            validate on.
    """
    custom = dict(custom or {})
    sets: list[FewShotSet] = []
    problems: list[str] = []
    for candidate in _candidates(data, custom):
        if isinstance(candidate, str):
            problems.append(candidate)
        else:
            sets.append(candidate)
    if problems and not (skip_missing and sets):
        advice = '; --skip-missing runs the others' if sets else ''
        more = f' ({len(problems) - 1} more)' if len(problems) > 1 else ''
        raise DatasetError(f'{problems[0]}{advice}{more}')
    return _distinct(sets), problems


def _candidates(
    data: Sequence[str], custom: Mapping[str, Any]
) -> Iterator[FewShotSet | str]:
    """Sets, or what is wrong with them."""
    if not data:
        yield from _of_config(custom)
    for name in data:
        if name in LISTS:
            yield from _of_list(name, custom)
        else:
            yield from _of_folder(name)


def _of_folder(folder: str) -> Iterator[FewShotSet | str]:
    """All sets in a folder, or the one that it is."""
    if not os.path.isdir(folder):
        close = f', nor one of {", ".join(LISTS)}' if os.sep not in folder else ''
        yield f'--data {folder}: no such folder{close}'
        return
    by_split = (find_sets(folder, names) for names in ('train', _VAL, 'test'))
    for splits in zip(*by_split, strict=True):
        yield _joined(splits[0].name, splits, folder)


def _of_list(name: str, custom: Mapping[str, Any]) -> Iterator[FewShotSet | str]:
    """The sets of ODinW: validation as the config says, other splits beside it."""
    listed = read_config(config_root() / '_base_' / 'datasets' / f'{name}.py')
    options = dict(listed.custom_data)
    options['data_root'] = custom.get('data_root') or options['data_root']
    options['use_caption_prompt'] = bool(custom.get('use_caption_prompt'))
    options['skip_missing'] = False
    for entry in sets_by_stage(options)['test']:
        pictures = Path(entry.data_root, entry.img)
        # The exported ones have all splits in one folder.
        exported = Path(entry.ann_file).name.startswith('val_')
        root = pictures if exported else pictures.parent
        if not os.path.isfile(entry.path):
            yield f'{entry.name}: {os.path.abspath(entry.path)} is not there'
            continue
        train, test = (split_of_set(root, entry.name, [s]) for s in ('train', 'test'))
        if train.split is None:
            yield _lacking(entry.name, 'train', train)
            continue
        yield FewShotSet(
            entry.name,
            _like(entry, train),
            replace(entry, split='val'),
            _like(entry, test) if test.split else None,
        )


def _of_config(custom: Mapping[str, Any]) -> Iterator[FewShotSet | str]:
    """What ``custom_data`` of the config trains and validates on, pair by pair."""
    if not custom.get('train') and not custom.get('train_split'):
        raise ConfigError(
            'no data to learn from: name folders in COCO format, odinw13 or odinw35 '
            'by --data, or custom_data with train and val in the config'
        )
    stages = sets_by_stage(custom)
    if not stages['val']:
        raise DatasetError(
            'custom_data has no val: few-shot training chooses its best epoch by it'
        )
    counts = {stage: len(entries) for stage, entries in stages.items()}
    if len(set(counts.values())) > 1:
        raise ConfigError(
            f'custom_data names {counts["train"]} sets to train, {counts["val"]} to '
            f'validate and {counts["test"]} to test on; few-shot runs need these for '
            'each set'
        )
    for train, val, test in zip(*(stages[s] for s in ('train', 'val', 'test'))):
        if train.format != 'coco' or val.format != 'coco':
            raise ConfigError(
                f'few-shot training draws pictures by their classes: {train.path} and '
                f'{val.path} must be in COCO format'
            )
        yield FewShotSet(
            train.name, train, val, test if test.path != val.path else None
        )


def _joined(name: str, splits: Sequence[FolderSet], folder: str) -> FewShotSet | str:
    """A set of its three splits, of which the last may be missing."""
    for what, split in zip(('train', 'val'), splits):
        if split.split is None:
            return _lacking(name, what, split)
    train, val, test = (_custom(split) for split in splits)
    return FewShotSet(name, train, val, test if test.split else None)


def _lacking(name: str, what: str, split: FolderSet) -> str:
    purpose = {
        'train': 'draw pictures from',
        'val': 'choose the best epoch by',
    }[what]
    return (
        f'{name} has no split {what} to {purpose}: looked for '
        f'{os.path.abspath(split.path)} and the like'
    )


def _custom(split: FolderSet) -> CustomSet:
    return CustomSet(
        name=split.name,
        format='coco',
        data_root=split.root,
        ann_file=split.ann_file,
        img=split.img,
        split=split.split,
    )


def _like(entry: CustomSet, split: FolderSet) -> CustomSet:
    """Another split of a set, with the same names of classes."""
    return replace(
        entry,
        data_root=split.root,
        ann_file=split.ann_file,
        img=split.img,
        split=split.split,
    )


def _distinct(sets: Sequence[FewShotSet]) -> list[FewShotSet]:
    """Tell sets of one name apart by the folder that their own lies in.

    Raises:
        ConfigError: They are still called the same.
    """
    counts = Counter(entry.name for entry in sets)
    named = [
        replace(entry, name=f'{_folder_above(entry)}_{entry.name}')
        if counts[entry.name] > 1
        else entry
        for entry in sets
    ]
    twice = [n for n, count in Counter(e.name for e in named).items() if count > 1]
    if twice:
        raise ConfigError(f'--data has two sets called {twice[0]}; name each once')
    return named


def _folder_above(entry: FewShotSet) -> str:
    return Path(entry.train.data_root).resolve().parent.name
