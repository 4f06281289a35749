"""ODVG records with their pictures into tar files that training streams."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from glip.datasets.converters.output import (
    PathLike,
    atomic_binary,
    compact_json,
    writing_alone,
)
from glip.datasets.converters.pictures import MissingPictures
from glip.datasets.converters.result import Result, require
from glip.datasets.converters.write import check_files
from glip.datasets.sample import Dropped
from glip.errors import DatasetError
from glip.received import check_is_file, path_below
from glip.runtime.progress import count_lines, track
from glip.runtime.reading import json_lines


def odvg_to_shards(
    path: PathLike,
    pictures: PathLike,
    out_dir: PathLike,
    *,
    name: str = 'train',
    shard_size: int = 10_000,
) -> Result:
    """Pack pictures and records side by side: ``000000007.jpg``, ``000000007.json``.

    The tar files are named ``<name>-000000.tar`` and so on. Each appears when it is
    complete; training reads them in turn and needs no index of what is in them.

    Args:
        path: Records, one picture or caption a line.
        pictures: Folder that their ``filename`` starts from; what it names elsewhere,
            by an absolute path or by ``..``, is left out and counted.
        out_dir: Folder of the tar files; it must not have any of this name.
        name: Begin of their names.
        shard_size: Records in each but the last.

    Raises:
        DatasetError: A file cannot be used or written, or no picture is there.
    """
    path, pictures, out_dir = map(os.fspath, (path, pictures, out_dir))
    if shard_size < 1 or not name or os.path.basename(name) != name:
        raise DatasetError(
            f'{shard_size} records in a file named {name!r}-000000.tar: both must be '
            'given, and the name without folder'
        )
    check_files([path], [_shard_path(out_dir, name, 0)])
    with writing_alone(_shard_path(out_dir, name, None)):
        return _pack(path, pictures, out_dir, name, shard_size)


def _pack(path: str, pictures: str, out_dir: str, name: str, shard_size: int) -> Result:
    """Write the tar files of a folder that has none of this name."""
    if not os.path.isdir(pictures):
        raise DatasetError(f'{pictures} is no folder of pictures')
    present = [
        entry
        for entry in (os.listdir(out_dir) if os.path.isdir(out_dir) else ())
        if entry.startswith(f'{name}-') and entry.endswith('.tar')
    ]
    if present:
        raise DatasetError(
            f'{out_dir} already has {present[0]}; remove the {len(present)} old '
            f'{name}-*.tar, or give another --name'
        )
    dropped = Dropped(path)
    written = Counter(records=0, files=0)
    tracked = track(_readable(path, pictures, dropped), count_lines(path), 'records')
    with contextlib.ExitStack() as stack:
        for number, (extension, data, record) in enumerate(tracked):
            if number % shard_size == 0:
                stack.close()
                file = _shard_path(out_dir, name, written['files'])
                stream = stack.enter_context(atomic_binary(file))
                tar = stack.enter_context(open_tar(stream))
                written['files'] += 1
            key = f'{number:09d}'
            add_member(tar, key + extension, data)
            add_member(tar, key + '.json', compact_json(record).encode())
            written['records'] += 1
    require(written['records'], dropped)
    return Result(_shard_path(out_dir, name, None), written, dropped)


def _shard_path(folder: str, name: str, number: int | None) -> str:
    return os.path.join(
        folder, f'{name}-{"*" if number is None else f"{number:06d}"}.tar'
    )


def _readable(
    path: str, pictures: str, dropped: Dropped
) -> Iterator[tuple[str, bytes, Mapping[str, Any]]]:
    """Extension and bytes of each picture that is there, and its record."""
    missing = MissingPictures(dropped, 'records of pictures that cannot be read')
    outside = MissingPictures(dropped, 'records of pictures outside their folder')
    for number, record in json_lines(path):
        name = record.get('filename')
        if not isinstance(name, str) or not {'detection', 'grounding'} & record.keys():
            raise DatasetError(
                f'{path}, line {number}: no ODVG record, which has "filename" and '
                '"detection" or "grounding"'
            )
        picture = os.path.join(pictures, name)
        if path_below(pictures, name) is None:
            outside.add(name, picture, ValueError(f'not below {pictures}'))
            continue
        try:
            check_is_file(picture)
            with open(picture, 'rb') as file:
                data = file.read()
        except (OSError, ValueError) as error:  # the latter for names no file can have
            missing.add(name, picture, error)
            continue
        missing.present()
        outside.present()
        yield os.path.splitext(name)[1].lower() or '.jpg', data, record


@contextlib.contextmanager
def open_tar(stream: BinaryIO) -> Iterator[tarfile.TarFile]:
    """A tar file that is written to a stream."""
    with tarfile.open(fileobj=stream, mode='w') as tar:
        yield tar


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member that says nothing of who packed it and when."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))
