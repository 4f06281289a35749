"""Captions beside pictures: COCO's JSON, JSON lines, and folders with text files."""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from glip.datasets.stream import local_shards
from glip.errors import DatasetError
from glip.images import EXTENSIONS
from glip.received import path_below
from glip.runtime.reading import read_json
from glip.teach.pseudo_labels.items import (
    NOT_TEXT,
    Item,
    Note,
    Share,
    Source,
    captions_of_text,
    cut,
    digest_of,
)
from glip.teach.pseudo_labels.tars import TarSource

PathLike = str | os.PathLike[str]

_IMAGE_KEYS = ('image', 'file_name', 'filename')
_CAPTION_KEYS = ('caption', 'captions')
_TARS = ('.tar', '.tar.gz', '.tgz')
_LONGEST_TEXT = 2**20  # bytes of a text file beside a picture
_MARK = b'\xef\xbb\xbf'  # that some editors put before the first line
_OUTSIDE = 'pictures outside the data root'


def open_source(
    captions: PathLike | Sequence[PathLike],
    *,
    data_root: PathLike | None,
    shard_size: int,
    limit: int | None,
) -> Source:
    """The source that a path is.

    Args:
        captions: COCO captions JSON, a list of ``{"image", "caption"}`` as JSON or
            as lines, a folder, or tar files; of the last and of lines also a pattern
            or a list. A folder that has no pictures stands for the tar files in it.
        data_root: Folder that the pictures' names start from; by default that of the
            file, or the folder itself.
        shard_size: Pictures, or lines, of each share; a tar file is one.
        limit: No more pictures, or lines, than this.

    Raises:
        DatasetError: It is none of these, or there is nothing in it.
    """
    several = not isinstance(captions, (str, os.PathLike))
    names = [os.fspath(c) for c in captions] if several else [os.fspath(captions)]
    folder = names[0] if len(names) == 1 and os.path.isdir(names[0]) else None
    paths = _files(names) if folder is None else _tars(folder)
    if paths and all(path.endswith(_TARS) for path in paths):
        return TarSource(paths, limit=limit)
    default = os.path.dirname(paths[0]) if folder is None else folder
    root = os.fspath(default if data_root is None else data_root) or os.curdir
    if not os.path.isdir(root):
        raise DatasetError(f'{root} is no folder of pictures; set the data root')
    if folder is not None:
        return FolderSource(folder, root, shard_size, limit)
    if all(map(_is_lines, paths)):
        return LinesSource(paths, root, shard_size, limit)
    if len(paths) > 1:
        raise DatasetError(
            f'{len(paths)} files of captions, the first of them {paths[0]}: several '
            'must be all tar files or all JSON lines'
        )
    return JsonSource(paths[0], root, shard_size, limit)


def _files(names: Sequence[str]) -> tuple[str, ...]:
    """The files that are meant, all of them there."""
    if len(names) == 1 and os.path.isfile(names[0]):
        return (names[0],)
    folders = [name for name in names if os.path.isdir(name)]
    if folders:
        raise DatasetError(f'{folders[0]} is a folder; label one folder at a time')
    try:
        return local_shards(names)
    except DatasetError as error:
        raise DatasetError(
            f'captions not found: {error}; give COCO captions JSON, jsonl, a folder, '
            'or tar files'
        ) from error


def _tars(folder: str) -> tuple[str, ...]:
    """Tar files of a folder that has no pictures of its own."""
    names = sorted(os.listdir(folder))
    if any(os.path.splitext(name)[1].lower() in EXTENSIONS for name in names):
        return ()
    tars = [name for name in names if name.endswith(_TARS)]
    return tuple(os.path.join(folder, name) for name in tars)


class FolderSource(Source):
    """Pictures of a folder and all below it, captions in ``.txt`` of the same name.

    Each line of a text file that is not blank is a caption.
    """

    def __init__(self, path: str, root: str, size: int, limit: int | None) -> None:
        if path_below(root, os.path.abspath(path)) is None:
            raise DatasetError(f'{path} does not lie in the data root {root}')
        self.folder = root
        self._names = _pictures(path, root)
        if not self._names:
            raise DatasetError(f'{path}: no pictures in this folder or below it')
        self._names = self._names[:limit]
        self.shares = cut(len(self._names), size)
        self.digest = digest_of(os.fsencode(name) for name in self._names)

    def items(self, share: Share) -> Iterator[Item]:
        for name in self._names[slice(*share.where)]:
            path = os.path.join(self.folder, name)
            captions, notes = _beside(os.path.splitext(path)[0])
            if not _is_writable(name):
                yield Item(
                    ascii(name), None, notes=((_OUTSIDE + ' of text', ascii(name)),)
                )
                continue
            yield Item(name, path, captions, notes=notes)


class LinesSource(Source):
    """JSON lines, ``{"image": ..., "caption": ...}``.

    A caption is a string or a list of them; lines of the same picture that follow
    each other are one item. Only the places where shares begin are in memory.
    """

    unit = 'lines'

    def __init__(
        self, paths: Sequence[str], root: str, size: int, limit: int | None
    ) -> None:
        self.folder = root
        self.shares = []
        self.digest = digest_of(self._blocks(paths, size, limit))

    def _blocks(
        self, paths: Sequence[str], size: int, limit: int | None
    ) -> Iterator[bytes]:
        """Lines of each share together, which is noted on the way."""
        left = sys.maxsize if limit is None else limit
        for path in paths:
            begin = number = 0
            with open(path, 'rb') as file:
                while lines := list(islice(file, min(size, left))):
                    where = (path, begin, number)
                    self.shares.append(Share(len(self.shares), len(lines), where))
                    block = b''.join(lines)
                    begin, number = begin + len(block), number + len(lines)
                    left -= len(lines)
                    yield block

    def items(self, share: Share) -> Iterator[Item]:
        path, begin, first = share.where
        waiting: Item | None = None
        with open(path, 'rb') as file:
            file.seek(begin)
            for number, line in enumerate(islice(file, share.weight), first + 1):
                item = self._item(line, f'{path}, line {number}')
                if waiting is not None and waiting.name == item.name:
                    item = _joined(waiting, item)
                elif waiting is not None:
                    yield waiting
                waiting = item
        if waiting is not None:
            yield waiting

    def _item(self, line: bytes, where: str) -> Item:
        """One line; what is wrong with it becomes a note."""
        line = line.removeprefix(_MARK)
        if not line.strip():
            return Item('', None)
        try:
            record = json.loads(line.decode('utf-8'))
        except UnicodeDecodeError:
            return Item('', None, notes=((NOT_TEXT, where),))
        except (ValueError, RecursionError):
            return Item('', None, notes=(('lines that are not JSON', where),))
        return _item_of(record, self.folder, where)


class JsonSource(Source):
    """One JSON file: COCO's captions, or a list of ``{"image", "caption"}``."""

    def __init__(self, path: str, root: str, size: int, limit: int | None) -> None:
        self.folder = root
        content = read_json(path)
        if isinstance(content, list):
            self._items = [
                _item_of(record, root, f'{path}, entry {i}')
                for i, record in enumerate(content[:limit], start=1)
            ]
        elif isinstance(content, dict) and isinstance(content.get('images'), list):
            self._items = _items_of_coco(content, root, path)[:limit]
        else:
            raise DatasetError(
                f'{path} has no captions: give captions_*.json of COCO ("images" and '
                '"annotations" with a "caption" each), or entries with "image" and '
                '"caption"'
            )
        if not self._items:
            raise DatasetError(f'{path} has no pictures')
        self.shares = cut(len(self._items), size)
        self.digest = digest_of(
            repr((item.name, item.captions)).encode() for item in self._items
        )

    def items(self, share: Share) -> Iterator[Item]:
        yield from self._items[slice(*share.where)]


def _is_lines(path: str) -> bool:
    """Whether a file is JSON lines rather than one JSON text."""
    with open(path, 'rb') as file:
        first = file.readline(_LONGEST_TEXT).removeprefix(_MARK).strip()
        try:
            record = json.loads(first)
        except (ValueError, RecursionError):
            return path.endswith('.jsonl')
        has_image = isinstance(record, dict) and set(_IMAGE_KEYS) & record.keys()
        return bool(has_image) or path.endswith('.jsonl')


def _item_of(record: Any, root: str, where: str) -> Item:
    """Picture and captions of ``{"image": ..., "caption": ...}``."""
    if not isinstance(record, Mapping):
        return Item('', None, notes=(('entries that are no mappings', where),))
    name = next((record[key] for key in _IMAGE_KEYS if key in record), None)
    captions = next((record[key] for key in _CAPTION_KEYS if key in record), ())
    if not isinstance(name, str) or not name:
        return Item('', None, notes=(('entries without "image"', where),))
    return _located(name, root, _as_tuple(captions), where, record.get('image_id'))


def _items_of_coco(content: Mapping[str, Any], root: str, path: str) -> list[Item]:
    """Pictures in their order, each with all its captions."""
    sentences: dict[Any, list[Any]] = defaultdict(list)
    annotations = content.get('annotations') or []
    for annotation in annotations if isinstance(annotations, list) else []:
        if isinstance(annotation, Mapping) and 'caption' in annotation:
            sentences[_key(annotation.get('image_id'))].append(annotation['caption'])
    items = []
    for number, image in enumerate(content['images']):
        where = f'{path}, picture {number}'
        if not isinstance(image, Mapping) or not isinstance(
            image.get('file_name'), str
        ):
            notes = (('pictures without a file name', where),)
            items.append(Item('', None, notes=notes))
            continue
        captions = tuple(sentences.pop(_key(image.get('id')), ()))
        items.append(
            _located(image['file_name'], root, captions, where, image.get('id'))
        )
    for key, captions in sentences.items():
        notes = (('captions of pictures that are not listed', f'image {key}'),)
        items.append(Item('', None, notes=notes * len(captions)))
    return items


def _located(
    name: str, root: str, captions: tuple[Any, ...], where: str, image_id: Any
) -> Item:
    """An item of a picture that a file names."""
    relative = path_below(root, name)
    if relative is None or not _is_writable(relative):
        return Item(ascii(name), None, notes=((_OUTSIDE, f'{where}: {name!a:.80}'),))
    if not isinstance(image_id, (int, str)):
        image_id = None
    path = os.path.join(root, relative)
    return Item(relative, path, captions, image_id=image_id)


def _joined(one: Item, other: Item) -> Item:
    """Two lines of the same picture as one."""
    return Item(
        one.name,
        one.picture,
        one.captions + other.captions,
        one.weight + other.weight,
        one.notes + other.notes,
        one.image_id,
    )


def _key(value: Any) -> Any:
    """An id that can be looked up; lists cannot."""
    return value if isinstance(value, (int, str, float)) else repr(value)


def _as_tuple(captions: Any) -> tuple[Any, ...]:
    return tuple(captions) if isinstance(captions, list) else (captions,)


def _is_writable(name: str) -> bool:
    """Whether a name is text, as records need it; file systems take more."""
    try:
        name.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return '\0' not in name


def _pictures(path: str, root: str) -> list[str]:
    """Names of all pictures below a folder, from the root on, sorted."""
    names = []
    for folder, subfolders, files in os.walk(path):
        subfolders[:] = [name for name in subfolders if not name.startswith('.')]
        below = os.path.relpath(folder, root)
        for name in files:
            if name.startswith('.'):
                continue
            if os.path.splitext(name)[1].lower() in EXTENSIONS:
                names.append(name if below == os.curdir else os.path.join(below, name))
    return sorted(name.replace(os.sep, '/') for name in names)


def _beside(stem: str) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """Captions of a text file; none where there is no such file."""
    for path in (f'{stem}.txt', f'{stem}.TXT'):
        try:
            with open(path, 'rb') as file:
                content = file.read(_LONGEST_TEXT)
        except FileNotFoundError:
            continue
        except OSError:
            return (), (('text files that cannot be read', path),)
        return captions_of_text(content, path)
    return (), ()
