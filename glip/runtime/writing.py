"""Files of results, and one line where they cannot be written."""

from __future__ import annotations

import csv
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


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """Write a JSON file for people and programs, whole or not at all.

    Args:
        path: The file; its folder is created where it is missing.
        content: What ``json`` takes.

    Raises:
        OSError: It cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False) + '\n'
    with atomic_write(path) as part:
        part.write_text(text, encoding='utf-8')
    return path


def write_csv(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a table with a line of names.

    Raises:
        OSError: It cannot be written.
    """
    with path.open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([head, *rows])
    return path
