"""Annotation files from disk: JSON whole, JSON lines one by one, names checked."""

from __future__ import annotations

import codecs
import difflib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from glip.errors import DatasetError
from glip.received import check_is_file, parse_json

_COMPARED = 5000  # names that a mistyped one is compared with
_SHOWN = 8  # how many ids or names a message lists
_LARGE = 200 * 2**20  # bytes from which on reading a file is worth a line
_QUIET = 15.0  # seconds between two lines about the same file
_LINES_PER_LOOK = 10_000
# What text of annotation tools is in that is not in UTF-8, the most frequent first.
_ENCODINGS = ('gbk', 'shift_jis', 'big5', 'euc_kr', 'cp1251', 'cp1252')


def read_json(path: str, backend_args: Mapping[str, Any] | None = None) -> Any:
    """What a JSON file holds.

    Args:
        path: Local or of a backend of mmengine.
        backend_args: Passed to mmengine's file backend.

    Raises:
        DatasetError: The file is missing, unreadable or no JSON.
    """
    with _opened(path, backend_args) as local_path:
        size = os.path.getsize(local_path)
        if size > _LARGE:
            print_log(f'{path}: reading {size / 2**30:.1f} GiB', logger='current')
        with open(local_path, 'rb') as file:
            data = file.read()
        try:
            return parse_json(data)  # UTF-8, UTF-16 or UTF-32, as its beginning says
        except UnicodeDecodeError as error:
            raise DatasetError(
                f'annotation file {path} is not valid JSON: {_encoding_of(data)}'
            ) from error
        except json.JSONDecodeError as error:
            raise DatasetError(
                f'annotation file {path} is not valid JSON ({error}): it may be '
                'cut off or of another format; export it again as COCO'
            ) from error


def json_lines(
    path: str,
    backend_args: Mapping[str, Any] | None = None,
    *,
    skip: Callable[[str], None] | None = None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Records of a file with one JSON object per line, one in memory at a time.

    Long reads say in the log how far they are. Empty lines are passed over.

    Args:
        path: Local or of a backend of mmengine.
        backend_args: Passed to mmengine's file backend.
        skip: Told of lines that are no JSON object, which are then passed over.

    Yields:
        Number of the line, from 1, and its record.

    Raises:
        DatasetError: The file is missing or unreadable; a line is no JSON object and
            there is no ``skip``.
    """
    with _opened(path, backend_args) as local_path:
        size = os.path.getsize(local_path)
        done, logged = 0, time.monotonic()
        with open(local_path, 'rb') as file:
            for number, line in enumerate(file, 1):
                done += len(line)
                if number % _LINES_PER_LOOK == 0 and time.monotonic() - logged > _QUIET:
                    logged = time.monotonic()
                    print_log(
                        f'{path}: {number} lines read, {done / size:.0%}',
                        logger='current',
                    )
                if not line.strip():
                    continue
                try:
                    record = _record(line, path, number)
                except DatasetError as error:
                    if skip is None:
                        raise
                    skip(str(error))
                else:
                    yield number, record


def check_names(names: Sequence[str], known: Iterable[str], path: str) -> None:
    """The classes asked for must be in the file, each once.

    Raises:
        DatasetError: One is not, with the closest one that is; one comes twice.
    """
    known = list(dict.fromkeys(known))
    present = set(known)
    missing = [name for name in names if name not in present]
    if missing:
        close = difflib.get_close_matches(missing[0], known[:_COMPARED], n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        raise DatasetError(
            f'classes {listed(missing)} are not in annotation file {path}, which has '
            f'{listed(known)}{hint} (metainfo.classes given: {listed(names)})'
        )
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated or not names:
        what = f'names {listed(repeated)} twice' if repeated else 'is empty'
        raise DatasetError(f'metainfo.classes {what}; give each class once')


def listed(values: Iterable[Any]) -> str:
    """The first few, and how many more."""
    values = list(values)
    shown = ', '.join(map(str, values[:_SHOWN]))
    more = f' and {len(values) - _SHOWN} more' if len(values) > _SHOWN else ''
    return f'[{shown}{more}]'


def warn(message: str) -> None:
    """One line into the log of the run."""
    print_log(message, logger='current', level=logging.WARNING)


@contextmanager
def _opened(path: str, backend_args: Mapping[str, Any] | None) -> Iterator[str]:
    """A local file of the same content; what goes wrong becomes one line."""
    try:
        with get_local_path(path, backend_args=backend_args) as local_path:
            check_is_file(local_path)
            yield local_path
    except FileNotFoundError as error:
        raise DatasetError(
            f'annotation file not found: {os.path.abspath(path)} (it is data_root '
            'joined with ann_file; set both in the config)'
        ) from error
    except OSError as error:
        raise DatasetError(
            f'annotation file {path} cannot be read: {error.strerror or error}'
        ) from error


def _encoding_of(data: bytes) -> str:
    """What to do about text that is not in UTF-8."""
    for name in _ENCODINGS:
        with suppress(UnicodeDecodeError, ValueError):
            json.loads(data.decode(name))
            return (
                f'its text is not in UTF-8, but seems to be in {name.upper()}; save it '
                f'as UTF-8 (iconv -f {name.upper()} -t UTF-8 FILE > NEW)'
            )
    return 'it is damaged, or no text in UTF-8'


def _record(line: bytes, path: str, number: int) -> dict[str, Any]:
    """One line as the mapping it must be."""
    if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DatasetError(
            f'{path} is in UTF-16; save it as UTF-8 (iconv -f UTF-16 -t UTF-8 FILE > '
            'NEW)'
        )
    try:
        record = parse_json(line)
    except UnicodeDecodeError as error:
        raise DatasetError(
            f'{path}, line {number}: not JSON: {_encoding_of(line)}'
        ) from error
    except json.JSONDecodeError as error:
        raise DatasetError(
            f'{path}, line {number}: not JSON ({error}); each line must be one record '
            'in braces'
        ) from error
    if not isinstance(record, dict):
        raise DatasetError(
            f'{path}, line {number}: a {type(record).__name__}, not a record in braces'
        )
    return record
