"""A folder of data sets in COCO's format, found by how they are usually laid out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from glip.errors import DatasetError

# What the folders of a split are called.
_NAMES = {
    'train': ('train', 'training'),
    'val': ('valid', 'val', 'validation'),
    'test': ('test', 'testing'),
    'minival': ('mini_val', 'minival'),
}
# Annotations beside their pictures; the first is ODinW's, the last Roboflow's.
_BESIDE = (
    'annotations_without_background.json',
    'annotations.json',
    '_annotations.coco.json',
)
_DEPTH = 3  # folders between the one given and a set


@dataclass(frozen=True)
class FolderSet:
    """A data set below a folder.

    Attributes:
        name: The folders that tell it from the others, joined by ``_``.
        root: Its own folder.
        split: Which of the splits asked for it has, or None.
        ann_file: Annotations of the split, below ``root``; where there are none, those
            that were looked for first.
        img: Folder of its pictures, below ``root``.
    """

    name: str
    root: str
    split: str | None
    ann_file: str
    img: str

    @property
    def path(self) -> str:
        """Of the annotations."""
        return os.path.join(self.root, self.ann_file)


def find_sets(
    folder: str | os.PathLike[str], splits: str | Sequence[str] = 'val'
) -> list[FolderSet]:
    """The data sets in a folder, or the one that the folder is.

    A set is a folder with, for ``val`` (also called ``valid``; other splits likewise):

    * ``valid/annotations.json``, ``valid/_annotations.coco.json`` (Roboflow's) or
      ``valid/annotations_without_background.json`` (ODinW's), pictures beside it;
    * ``annotations/instances_val2017.json`` with pictures in ``val2017/`` (COCO's);
    * ``val_annotations_without_background.json``, pictures beside it (ODinW's).

    Sets may lie up to three folders deep. Hidden folders are passed over.

    Args:
        folder: Where to look.
        splits: The split to use, or several, of which the first that a set has counts.

    Returns:
        By name; also those that have none of the splits.

    Raises:
        DatasetError: The folder is not there, or no set is in it.
    """
    top = Path(folder)
    splits = (splits,) if isinstance(splits, str) else tuple(splits)
    if not top.is_dir():
        raise DatasetError(
            f'folder of data sets {top.absolute()} is not there; set it by '
            'custom_data.folder'
        )
    try:
        roots = sorted(_roots(top, _DEPTH), key=lambda root: str(root).lower())
    except OSError as error:
        raise DatasetError(
            f'folder of data sets {error.filename} cannot be read: {error.strerror}'
        ) from error
    if not roots:
        looked = ', '.join(f'<set>/{_NAMES["val"][0]}/{name}' for name in _BESIDE)
        raise DatasetError(
            f'no data set in COCO format in {top.absolute()}: looked for {looked}, '
            '<set>/annotations/instances_val*.json, and the same of train and test'
        )
    names = _names([root.relative_to(top).parts for root in roots], top)
    return [split_of_set(root, name, splits) for root, name in zip(roots, names)]


def _roots(folder: Path, depth: int) -> Iterator[Path]:
    """Folders that are data sets; none lies in another."""
    if any(_split_of(folder, split) for split in (*_NAMES,)):
        yield folder
        return
    if depth == 0:
        return
    with os.scandir(folder) as entries:
        inner = [e.name for e in entries if e.is_dir() and not e.name.startswith('.')]
    for name in inner:
        yield from _roots(folder / name, depth - 1)


def split_of_set(root: Path, name: str, splits: Sequence[str]) -> FolderSet:
    """The first of some splits that the set in a folder has.

    Args:
        root: Folder of the set.
        name: What to call it.
        splits: See :func:`find_sets`.
    """
    for split in splits:
        files = _split_of(root, split)
        if files is not None:
            return FolderSet(name, str(root), split, *files)
    looked = f'{_names_of(splits[0])[0]}/{_BESIDE[1]}'
    return FolderSet(name, str(root), None, looked, os.path.dirname(looked))


def _split_of(root: Path, split: str) -> tuple[str, str] | None:
    """Annotations and pictures of a split, below the folder of the set."""
    for name in _names_of(split):
        for file in _BESIDE:
            if (root / name / file).is_file():
                return f'{name}/{file}', name
        file = f'{name}_{_BESIDE[0]}'
        if (root / file).is_file():
            return file, ''
    return _coco_split(root, split)


def _coco_split(root: Path, split: str) -> tuple[str, str] | None:
    """``annotations/instances_<split><year>.json`` and ``<split><year>/``."""
    home = root / 'annotations'
    if not home.is_dir():
        return None
    names = '|'.join(map(re.escape, _names_of(split)))
    listed = sorted(os.listdir(home))
    for prefix in ('instances_', '', 'custom_'):
        pattern = re.compile(rf'{prefix}(({names})\d*)\.json')
        matches = [match for match in map(pattern.fullmatch, listed) if match]
        if matches:
            file, stem = matches[-1][0], matches[-1][1]  # of several years the latest
            return f'annotations/{file}', _pictures(root, stem, names)
    return None


def _pictures(root: Path, stem: str, names: str) -> str:
    """The folder of the pictures of ``<stem>.json``, as it is usually called."""
    alike = [n for n in sorted(os.listdir(root)) if re.fullmatch(rf'({names})\d*', n)]
    places = (stem, f'images/{stem}', *alike, 'images')
    there = [place for place in places if (root / place).is_dir()]
    return (there or [stem])[0]


def _names_of(split: str) -> tuple[str, ...]:
    for names in _NAMES.values():
        if split in names:
            # As it was asked for, before its other names.
            return tuple(dict.fromkeys((split, *names)))
    return _NAMES.get(split, (split,))


def _names(paths: Sequence[tuple[str, ...]], top: Path) -> list[str]:
    """As few folders as tell each path from the others."""
    names = []
    for path in paths:
        for length in range(1, len(path) + 1):
            start = path[:length]
            if sum(other[:length] == start for other in paths) == 1:
                break
        else:
            start = path or (top.absolute().name,)
        names.append('_'.join(start))
    return names
