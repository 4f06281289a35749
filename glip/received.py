"""Files from others: which paths are read, and JSON of any content."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import Any

_KINDS = (
    (stat.S_ISFIFO, 'a pipe'),
    (stat.S_ISSOCK, 'a socket'),
    (stat.S_ISCHR, 'a device'),
    (stat.S_ISBLK, 'a device'),
    (stat.S_ISDIR, 'a folder'),
)


def check_is_file(path: str | os.PathLike[str]) -> None:
    """Refuse what reading from would never end, before it is opened.

    Raises:
        OSError: It is missing, or a folder, device, pipe or socket.
    """
    kind = kind_of(path)
    if kind == 'a folder':
        raise IsADirectoryError(errno.EISDIR, 'Is a directory', os.fspath(path))
    if kind is not None:
        raise OSError(errno.EINVAL, f'is {kind}, not a file', os.fspath(path))


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """What a path names that is no file: 'a folder', 'a pipe' and so on.

    Links are followed.

    Raises:
        OSError: It is missing, or no file can have that name.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a zero byte, or what is no text
        raise OSError(errno.EINVAL, 'no file can have this name', repr(path)) from error
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), None)


def path_below(folder: str, name: str) -> str | None:
    """A picture's name from a folder on, None where it leads out of the folder.

    Annotations of others may name any file of this machine; what is packed or shown
    is only what lies below the folder that the user named. Links in the folder are the
    user's own and are followed.

    Args:
        folder: That pictures have to lie below.
        name: Relative to it, or absolute.
    """
    root = os.path.abspath(folder)
    path = os.path.normpath(os.path.join(root, name))
    if path == root:
        return os.curdir
    below = path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root).replace(os.sep, '/') if below else None


def parse_json(text: str | bytes) -> Any:
    """``json.loads``, with one error for all that it cannot read.

    Raises:
        json.JSONDecodeError: It is not JSON, is nested too deeply to be read, or has a
            number of thousands of digits.
        UnicodeDecodeError: The bytes are no text.
    """
    try:
        return json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except RecursionError:
        raise json.JSONDecodeError('nested too deeply', '', 0) from None
    except ValueError as error:
        raise json.JSONDecodeError(str(error), '', 0) from None
