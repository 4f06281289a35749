"""One training, and one evaluation, at a time in a work directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from glip.errors import ConfigError
from glip.runtime.lock import only_writer
from glip.runtime.processes import of_first


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
