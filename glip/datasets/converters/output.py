"""Result files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from glip.errors import DatasetError
from glip.runtime.atomic import atomic_write
from glip.runtime.lock import only_writer

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def atomic_text(path: PathLike, *, inputs: Iterable[PathLike] = ()) -> Iterator[TextIO]:
    """Open a text file as ``atomic_binary`` does.

    Args:
        path: The file to make.
        inputs: Files that are read, none of which may be written.

    Raises:
        DatasetError: See ``atomic_binary``.
    """
    with atomic_binary(path, inputs=inputs) as stream:
        file = io.TextIOWrapper(stream, encoding='utf-8', newline='\n')
        yield file
        file.flush()
        file.detach()


@contextlib.contextmanager
def atomic_binary(
    path: PathLike, *, inputs: Iterable[PathLike] = ()
) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when all of it is written.

    Until then it has a temporary name beside it, which is removed where writing ends
    by an error or by Ctrl-C. A file that was there before stays as it was until then.

    Args:
        path: The file to make. Its folder is created where it is missing.
        inputs: Files that are read, none of which may be written.

    Raises:
        DatasetError: The file is one of ``inputs``, is a folder, or cannot be written.
    """
    path = os.fspath(path)
    check_output(path, inputs)
    folder = os.path.dirname(os.path.abspath(path))
    try:
        with writing_alone(path), atomic_write(path) as part, part.open('wb') as file:
            yield file
    except OSError as error:
        # What is read while this is written may fail as well.
        name = str(error.filename or path)
        other = name not in (path, folder) and not name.endswith('.part')
        what = f'{error.filename} cannot be read' if other else ''
        raise DatasetError(
            f'{what or f"{path} cannot be written"}: {error.strerror or error}'
        ) from error


@contextlib.contextmanager
def writing_alone(path: PathLike) -> Iterator[None]:
    """Make the folder of a file, and keep other conversions from the same file.

    Raises:
        DatasetError: Another conversion writes it now, or the folder cannot be made.
    """
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    message = f'another conversion is writing {path}; wait for it, or give another name'
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise DatasetError(
            f'{path} cannot be written: {error.strerror or error}'
        ) from error
    lock = Path(folder, f'.{name.replace("*", "")}.lock')
    with only_writer(lock, message, DatasetError):
        yield


def check_output(path: PathLike, inputs: Iterable[PathLike] = ()) -> None:
    """Refuse a result file that would destroy something else.

    Raises:
        DatasetError: It is one of ``inputs`` (under whatever name), or is a folder.
    """
    path = os.fspath(path)
    if not path:
        raise DatasetError('the name of the file to write is empty')
    if os.path.isdir(path):
        raise DatasetError(f'{path} is a folder; name a file to write')
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise DatasetError(f'{path} cannot be written: {folder} is no folder')
    for source in inputs:
        if os.path.realpath(source) == os.path.realpath(path) or (
            os.path.exists(path)
            and os.path.exists(source)
            and os.path.samefile(path, source)
        ):
            raise DatasetError(
                f'{path} is read by this command and cannot be written as well; give '
                'another --output'
            )


def check_distinct(paths: Sequence[PathLike]) -> None:
    """Refuse two results of one name.

    Raises:
        DatasetError: Two of them are the same file.
    """
    seen = set()
    for path in map(os.path.realpath, paths):
        if path in seen:
            raise DatasetError(f'two results would be written to {path}')
        seen.add(path)


def write_line(file: TextIO, record: Mapping[str, Any]) -> None:
    """Add one record of a jsonl file."""
    file.write(compact_json(record))
    file.write('\n')


def compact_json(value: Any) -> str:
    """JSON without blanks to spare, in ASCII: no text can make the file unreadable.

    Raises:
        DatasetError: It has a number that is not finite, which JSON has no word for.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(',', ':'))
    except ValueError as error:
        raise DatasetError(
            f'a number that is not finite cannot be written: {str(value)[:200]}'
        ) from error


class CocoWriter:
    """Writes COCO's layout as it goes: pictures to the file, boxes to a spool.

    So neither list is ever in memory. Use as a context manager; the file appears
    when the block ends without error.

    Args:
        path: The file to make.
        header: Further sections: ``info``, ``categories`` and so on.
        inputs: Files that are read, none of which may be written.
    """

    def __init__(
        self,
        path: PathLike,
        header: Mapping[str, Any],
        *,
        inputs: Iterable[PathLike] = (),
    ) -> None:
        self._path = path
        self._inputs = inputs
        self._header = header
        self._stack = contextlib.ExitStack()
        self.num_images = 0
        self.num_annotations = 0

    def __enter__(self) -> CocoWriter:
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(
                atomic_text(self._path, inputs=self._inputs)
            )
            self._spool = stack.enter_context(
                tempfile.TemporaryFile('w+', encoding='utf-8', newline='\n')
            )
            self._file.write('{')
            for key, value in self._header.items():
                self._file.write(f'{json.dumps(key)}:{compact_json(value)},\n')
            self._file.write('"images":[')
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> bool | None:
        if error[0] is None:
            self._file.write('],\n"annotations":[')
            self._spool.seek(0)
            shutil.copyfileobj(self._spool, self._file)
            self._file.write(']}\n')
        return self._stack.__exit__(*error)

    def add_image(self, image: Mapping[str, Any]) -> None:
        """One entry of ``images``."""
        self._file.write(',\n' * bool(self.num_images) + compact_json(image))
        self.num_images += 1

    def add_annotation(self, annotation: Mapping[str, Any]) -> None:
        """One entry of ``annotations``; ``id`` is counted from 1."""
        self._spool.write(',\n' * bool(self.num_annotations))
        self.num_annotations += 1
        self._spool.write(compact_json({'id': self.num_annotations, **annotation}))
