"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from glip.errors import ConfigError


@contextlib.contextmanager
def alone_in(folder: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Keep a second run out of a folder; the lock goes with the process.

    Args:
        folder: Made where it is missing.
        what: Kind of the run, for the message.

    Raises:
        ConfigError: Another run is going on there, or it cannot be written to.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock = FileLock(Path(folder, '.lock'), timeout=0)
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f'another {what} is going on in {folder}; wait for it, or name another '
            '--work-dir'
        ) from error
    except OSError as error:
        raise ConfigError(
            f'work directory {folder}: {error.strerror or error}; name another one '
            'with --work-dir'
        ) from error
    try:
        yield
    finally:
        lock.release()
