"""Progress of a conversion on standard error, with the time it still takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

from glip.errors import DatasetError
from glip.received import check_is_file

T = TypeVar('T')
_BAR = '{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, ETA {remaining}, {rate_fmt}]'


def track(items: Iterable[T], total: int | Callable[[], int], what: str) -> Iterator[T]:
    """Iterate with a bar.

    Args:
        items: What is worked through.
        total: How many there are; a function is asked once the first is there.
        what: Written before the bar.
    """
    first = total if isinstance(total, int) else None
    with progress_bar(total=first, desc=what, bar_format=_BAR) as bar:
        for item in items:
            if bar.total is None and callable(total):
                bar.total = total()
            yield item
            bar.update()


def track_lines(path: str | os.PathLike[str], what: str) -> Iterator[tuple[int, str]]:
    """Read a text file by lines, the bar counting bytes: the end is known at once.

    Args:
        path: The file, UTF-8.
        what: Written before the bar.

    Yields:
        The line's number from 1, and the line without its end.

    Raises:
        DatasetError: It is missing, or is no text.
    """
    path = os.fspath(path)
    number = 0
    try:
        check_is_file(path)
        size = os.path.getsize(path)
        with (
            open(path, 'rb') as file,
            progress_bar(
                total=size, desc=what, unit='B', unit_scale=True, bar_format=_BAR
            ) as bar,
        ):
            for number, line in enumerate(file, start=1):
                # Some editors put a mark before the first line.
                yield number, line.decode('utf-8-sig').rstrip('\r\n')
                bar.update(len(line))
    except FileNotFoundError as error:
        raise DatasetError(f'file not found: {os.path.abspath(path)}') from error
    except OSError as error:
        if error.filename not in (None, path):
            raise
        raise DatasetError(
            f'{path} cannot be read: {error.strerror or error}'
        ) from error
    except UnicodeDecodeError as error:
        raise DatasetError(
            f'{path}, line {number}: not UTF-8 text ({error.reason}); is it compressed?'
        ) from error


def count_lines(path: str | os.PathLike[str]) -> int:
    """Number of lines of a file, without looking into them."""
    check_is_file(path)
    with open(path, 'rb') as file:
        return sum(1 for _ in file)


def progress_bar(**kwargs: object) -> tqdm:
    """A bar of tqdm that does not fill log files; arguments are those of tqdm."""
    # In a log file every update is a line of its own.
    interval = 0.2 if sys.stderr.isatty() else 10.0
    return tqdm(dynamic_ncols=True, mininterval=interval, **kwargs)
