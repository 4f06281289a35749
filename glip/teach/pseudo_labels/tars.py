"""Tar files of pictures with their captions, as webdataset and img2dataset write."""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from glip.datasets.stream import tar_samples
from glip.errors import DatasetError
from glip.images import EXTENSIONS
from glip.teach.pseudo_labels.items import (
    NOT_TEXT,
    Item,
    Note,
    Share,
    Source,
    captions_of_text,
    digest_of,
)

_DAMAGED = 'tar files that are damaged or cut off'
_FOREIGN = 'members without an ending'
_WITHOUT_PICTURE = 'members without a picture'
_SEVERAL = 'members with several pictures'


class TarSource(Source):
    """Samples of tar files: a picture, and captions in ``.txt`` or ``.json``.

    A ``.txt`` has a caption per line. A ``.json`` is a caption, a list of captions, or
    has them under ``caption`` or ``captions``; it counts where there is no ``.txt``.

    Args:
        paths: The files.
        limit: No more samples than this.

    Raises:
        DatasetError: webdataset is not installed.
    """

    unit = 'bytes'
    holds_pictures = True

    def __init__(self, paths: Sequence[str], *, limit: int | None = None) -> None:
        sizes = [os.path.getsize(path) for path in paths]
        self.shares = []
        for path, size in zip(paths, sizes, strict=True):
            count = None
            if limit is not None:
                if limit <= 0:
                    break
                count = min(_count(path, limit), limit)
                limit -= count
            self.shares.append(Share(len(self.shares), size, (path, count)))
        names = [os.path.basename(share.where[0]) for share in self.shares]
        self.digest = digest_of(
            f'{name} {share.weight}'.encode()
            for name, share in zip(names, self.shares, strict=True)
        )

    def items(self, share: Share) -> Iterator[Item]:
        path, count = share.where
        errors: list[str] = []
        foreign: list[str] = []

        def select(name: str) -> bool:
            has_ending = '.' in os.path.basename(name)
            if not has_ending:
                foreign.append(name)
            return has_ending

        number = 0
        for name, members in _samples(path, errors.append, select):
            if number == count:
                return
            number += 1
            yield _item(name, members, path)
        notes = [(_DAMAGED, f'{path}: {error}') for error in errors[:1]]
        notes += [(_FOREIGN, f'{path}: {name}') for name in foreign]
        if notes:
            yield Item('', None, weight=0, notes=tuple(notes))


def _samples(
    path: str,
    broken: Callable[[str], Any],
    select: Callable[[str], bool] | None = None,
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Name and members of each picture, with what belongs to it.

    webdataset cuts names at their first dot: ``a.1.jpg`` and ``a.2.jpg`` come as one
    sample and are two here, each with ``a.txt`` unless it has a text of its own. What
    lies beside a plain picture, as ``a.mask.png`` beside ``a.jpg``, is another thing.
    """
    for sample in tar_samples(path, broken, select):
        key = str(sample['__key__'])
        by_stem: dict[str, dict[str, bytes]] = {'': {}}
        for name, content in sample.items():
            if not name.startswith('__'):
                stem, _, ending = name.rpartition('.')
                by_stem.setdefault(stem, {})[ending] = content
        plain = by_stem.pop('')
        pictures = {s: parts for s, parts in by_stem.items() if _endings(parts)}
        if _endings(plain) or not pictures:
            yield key, plain
            continue
        for stem, parts in pictures.items():
            yield f'{key}.{stem}', plain | parts


def _endings(members: Mapping[str, bytes]) -> list[str]:
    """Those of pictures."""
    return [ending for ending in members if f'.{ending}' in EXTENSIONS]


def _count(path: str, limit: int) -> int:
    """Samples of a tar file, counted no further than the limit."""
    return sum(1 for _, _ in zip(_samples(path, lambda _: None), range(limit)))


def _item(key: str, members: Mapping[str, bytes], path: str) -> Item:
    """A picture with its captions."""
    where = f'{path}: {key}'
    weight = sum(tarfile.BLOCKSIZE + len(content) for content in members.values())
    endings = _endings(members)
    if len(endings) != 1:
        reason = _SEVERAL if endings else _WITHOUT_PICTURE
        return Item('', None, weight=weight, notes=((reason, where),))
    captions, notes = _captions(members, where)
    name = f'{key}.{endings[0]}'
    return Item(name, members[endings[0]], captions, weight, notes)


def _captions(
    members: Mapping[str, bytes], where: str
) -> tuple[tuple[Any, ...], tuple[Note, ...]]:
    """Captions of a sample, and what is wrong with them."""
    if 'txt' in members:
        return captions_of_text(members['txt'], f'{where}.txt')
    if 'json' not in members:
        return (), ()
    try:
        content = json.loads(members['json'].decode('utf-8-sig'))
    except UnicodeDecodeError:
        return (), ((NOT_TEXT, f'{where}.json'),)
    except (ValueError, RecursionError):
        return (), (('members that are not JSON', f'{where}.json'),)
    if isinstance(content, Mapping):
        content = content.get('caption', content.get('captions', ()))
    return (tuple(content) if isinstance(content, (list, tuple)) else (content,)), ()


def read_member(path: str, number: int) -> bytes:
    """The picture of a sample of a tar file.

    Args:
        path: The tar file, which has been read before.
        number: Of the sample.

    Raises:
        DatasetError: It has no such sample any more.
    """
    for place, (name, members) in enumerate(_samples(path, lambda _: None)):
        if place == number:
            picture = _item(name, members, path).picture
            if isinstance(picture, bytes):
                return picture
    raise DatasetError(f'{path}: sample {number} is not there any more')
