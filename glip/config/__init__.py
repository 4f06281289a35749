"""From a user's config to what is built."""

from importlib import import_module
from typing import Any

__all__ = ['resolve']


def __getattr__(name: str) -> Any:
    # Inference reads config files, and has no use for what training does to them.
    if name == 'resolve':
        return import_module('glip.config.resolving').resolve
    raise AttributeError(f"module 'glip.config' has no attribute {name!r}")
