"""One writer at a time: a second one is told so, and does not wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from glip.errors import GLIPError


@contextmanager
def only_writer(
    lock: Path, message: str, error: Callable[[str], GLIPError]
) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards; of a killed process it frees itself.

    Args:
        lock: The file, in a folder that exists. A link in its place is removed.
        message: Line for the second writer.
        error: Makes an error of a line.

    Raises:
        GLIPError: Another process, or another thread, holds it, or it cannot be made.
    """
    holder = FileLock(lock, timeout=0, is_singleton=False)
    try:
        if lock.is_symlink():
            lock.unlink()
        holder.acquire()
    except Timeout:
        raise error(message) from None
    except OSError as reason:
        raise error(f'{lock}: {reason.strerror or reason}') from reason
    try:
        yield
    finally:
        # First, as nobody who opens the file from now on is in the way of this one.
        with suppress(OSError):
            lock.unlink()
        holder.release()
