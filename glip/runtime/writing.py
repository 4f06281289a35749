"""Files of results, and one line where they cannot be written."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glip.errors import ConfigError
from glip.runtime.atomic import atomic_write


@contextmanager
def writing_to(path: str | os.PathLike[str], what: str = '') -> Iterator[None]:
    """Say in one line where the system refuses what is written within.

    Args:
        path: The folder or file, for the message.
        what: Noun for what is written, for the message.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f'cannot write {what + " " if what else ""}to {path}: '
            f'{error.strerror or error}; name another folder'
        ) from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """A folder to write to, created with those above it where it is missing.

    Raises:
        ConfigError: It cannot be.
    """
    with writing_to(path):
        Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


def safe_name(name: str) -> str:
    """A name of a file or folder on every system: at most 80 letters, no signs."""
    return re.sub(r'[^\w.-]+', '_', name)[-80:]


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a text file whole or not at all; its folder is created where missing.

    Raises:
        ConfigError: It cannot be written.
    """
    path = Path(path)
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as part:
            part.write_bytes(text.encode())  # lines end alike on all systems
    return path


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write a JSON file for people and programs, as :func:`write_text` does.

    Args:
        path: The file.
        content: What ``json`` takes; of anything else the string.
    """
    text = json.dumps(content, indent=1, ensure_ascii=False, default=str)
    return write_text(path, text + '\n')


def write_csv(
    path: str | os.PathLike[str], head: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Path:
    """Write a table with a line of names, as :func:`write_text` does."""
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([head, *rows])
    return write_text(path, text.getvalue())


def write_tables(
    folder: str | os.PathLike[str],
    name: str,
    *,
    markdown: str,
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    content: Any,
) -> list[Path]:
    """Write one table for people, for spreadsheets and for programs.

    Args:
        folder: Created where it is missing.
        name: Of the files, before ``.md``, ``.csv`` and ``.json``.
        markdown: Text of the first.
        head: Names of the columns of the second.
        rows: Its lines.
        content: Of the third.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    return [
        write_text(Path(folder, f'{name}.md'), markdown.rstrip('\n') + '\n'),
        write_csv(Path(folder, f'{name}.csv'), head, rows),
        write_json(Path(folder, f'{name}.json'), content),
    ]
