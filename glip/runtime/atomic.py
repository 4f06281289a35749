"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glip.received import kind_of


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], *, part: Path | None = None
) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when all went well.

    Until then a file that was there before stays as it was. A link is replaced, and
    what it names is left alone.

    Args:
        path: File to write, in a folder that exists.
        part: Temporary file in the same folder, kept after an error so that a later
            call can go on with it. By default it has a name of its own and is removed.

    Raises:
        OSError: The path is a folder, device or pipe, or cannot be written.
    """
    target = Path(path)
    _check_replaceable(target)
    mode = _mode(target)
    temporary = part
    if temporary is None:
        handle, name = tempfile.mkstemp(
            prefix=f'.{target.name}.', suffix='.part', dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
    try:
        yield temporary
        with temporary.open('r+b') as file:
            os.fsync(file.fileno())
        # Some writers make files for their owner only.
        temporary.chmod(mode)
        os.replace(temporary, target)
    finally:
        if part is None:
            temporary.unlink(missing_ok=True)


def _check_replaceable(path: Path) -> None:
    """Refuse to put a file where something else is.

    Raises:
        OSError: The path is a folder, device, pipe or socket.
    """
    if path.is_symlink():
        return
    with suppress(FileNotFoundError):
        kind = kind_of(path)
        if kind is not None:
            number = errno.EISDIR if kind == 'a folder' else errno.EINVAL
            raise OSError(number, f'is {kind}, not a file', os.fspath(path))


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, or those that open() would give."""
    if path.exists() and not path.is_symlink():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
