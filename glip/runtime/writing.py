"""Files of results, and one line where they cannot be written."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from glip.errors import ConfigError
from glip.received import check_is_file
from glip.runtime.atomic import atomic_write

# Spreadsheets take what begins so for a formula and run it.
_FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r', '\n')


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
            # Lines end alike on all systems; names of files may be no text.
            part.write_bytes(text.encode(errors='backslashreplace'))
    return path


def write_picture(
    path: str | os.PathLike[str], image: Image.Image, *, quality: int
) -> Path:
    """Write a picture whole or not at all, in the type that its ending says.

    Args:
        path: In a folder that exists.
        image: What to write.
        quality: Of JPEG, 1 to 95.

    Raises:
        ConfigError: It cannot be written.
    """
    path = Path(path)
    # Not by Pillow, which leaves half a JPEG on a full disk and does not say so.
    data = io.BytesIO()
    kind = Image.registered_extensions()[path.suffix.lower()]
    image.save(data, kind, quality=quality)
    with writing_to(path), atomic_write(path) as part:
        part.write_bytes(data.getvalue())
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
    return write_text(path, csv_text([head, *rows]))


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


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Lines of values between commas.

    Texts that a spreadsheet would run as formulas get an apostrophe in front, as OWASP
    advises.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return out.getvalue()


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_FORMULA_STARTS):
        return value
    try:
        float(value)
    except ValueError:
        return value if value in ('-', '+') else f"'{value}"
    return value  # of a number nothing is run


def check_place(path: str | os.PathLike[str]) -> None:
    """Look before a long run whether a file could be written after it.

    Raises:
        ConfigError: It could not: it is a folder, device, pipe or socket, or is in a
            folder that is none or cannot be written to.
    """
    path = Path(path)
    with writing_to(path):
        if os.path.lexists(path) and not path.is_symlink():
            check_is_file(path)
        folder = path.absolute().parent
        while not os.path.lexists(folder):
            folder = folder.parent
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f'{folder} is no folder')
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, f'no permission to write in {folder}')
