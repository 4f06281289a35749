"""One writer, and one run, at a time: a second one is told so, and does not wait."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from glip.errors import ConfigError, GLIPError
from glip.runtime.processes import of_first


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


@contextmanager
def only_run(work_dir: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Hold a work directory; the first process asks, and all learn the answer.

    Args:
        work_dir: It exists.
        what: ``'training'`` or ``'evaluation'``, which do not exclude each other.

    Raises:
        ConfigError: Another run of this kind is going on in it.
    """
    lock = Path(work_dir, f'.{what}.lock')
    message = (
        f'another {what} is running in {work_dir}; wait for it, or give this one '
        'another --work-dir'
    )
    with ExitStack() as stack:

        def hold() -> str | None:
            try:
                stack.enter_context(only_writer(lock, message, ConfigError))
            except ConfigError as error:
                return str(error)
            return None

        if problem := of_first(hold):
            raise ConfigError(problem)
        yield
