"""Packages that only some users need."""

from __future__ import annotations

import importlib
from types import ModuleType

from glip.errors import GLIPError


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: Its import name.
        extra: The extra of this package that installs it.

    Raises:
        GLIPError: It is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise GLIPError(
            f"{module.partition('.')[0]} is not installed: pip install 'glip[{extra}]'"
        ) from error
