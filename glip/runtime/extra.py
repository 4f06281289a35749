"""Packages that only some users need."""

from __future__ import annotations

import importlib
from types import ModuleType

from glip.errors import GLIPError


def require(module: str, extra: str | None = None) -> ModuleType:
    """Import a module of an optional package.

    Args:
        module: Its import name.
        extra: The extra of this package that installs it; None for the package of a
            tool that its users bring along.

    Raises:
        GLIPError: It is not installed, and the message says how to install it; or it
            lacks something itself.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition('.')[0]
        if error.name not in (package, None):
            raise GLIPError(f'{package} cannot be imported: {error}') from error
        install = f"'glip[{extra}]'" if extra else package.replace('_', '-')
        raise GLIPError(f'{package} is not installed: pip install {install}') from error


def optional_base(module: str, name: str) -> type:
    """Class of an optional package to derive from; ``object`` without the package.

    What derives from it can be imported all the same. Its constructor calls
    :func:`require`, so that the missing package is reported when it is needed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        return object
