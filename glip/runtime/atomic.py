"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(
    path: str | os.PathLike[str], *, part: Path | None = None
) -> Iterator[Path]:
    """Give a temporary file that takes the place of ``path`` when all went well.

    Until then a file that was there before stays as it was. A link within a folder is
    written through; one that leads out of its folder is replaced, and what it names is
    left alone.

    Args:
        path: File to write, in a folder that exists.
        part: Temporary file in the same folder, kept after an error so that a later
            call can go on with it. By default it has a name of its own and is removed.

    Raises:
        OSError: The path is a folder, device or pipe, or cannot be written.
    """
    target = _target(path)
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


def _target(path: str | os.PathLike[str]) -> Path:
    """The file to replace: the path, or what a link in its folder names there."""
    target = Path(path)
    if target.is_symlink():
        real = Path(os.path.realpath(target))
        if real.parent == Path(os.path.realpath(target.parent)):
            target = real
    special = target.exists() and not target.is_file() and not target.is_symlink()
    if special:
        kind = 'a folder' if target.is_dir() else 'a device or pipe'
        raise OSError(errno.EINVAL, f'is {kind}, not a file', os.fspath(path))
    return target


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, or those that open() would give."""
    if path.exists() and not path.is_symlink():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
