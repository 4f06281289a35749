"""The switch that makes every operation of this package take its plain form."""

from collections.abc import Iterator
from contextlib import contextmanager

_plain = False


@contextmanager
def plain_path() -> Iterator[None]:
    """Within it no fast kernel is used: what is computed reads as the papers write it.

    Fast forms are measured and tested against it. A training step belongs into it as a
    whole, as checkpointing computes again in the backward pass. It holds for all
    threads of the process.
    """
    global _plain
    before, _plain = _plain, True
    try:
        yield
    finally:
        _plain = before


def is_plain() -> bool:
    """Whether :func:`plain_path` is in force; asked where a kernel is chosen."""
    return _plain
