"""GLIP: words in, boxes out (arXiv 2112.03857)."""

import gc
from importlib import import_module
from typing import Any

from glip import compat  # noqa: F401  (before anything imports mmcv.ops)
from glip.version import __version__

# Imported when first used: building on mmdet takes seconds, words alone do not.
_LAZY = {
    'Detections': 'glip.apis',
    'load': 'glip.apis',
    'pipeline': 'glip.adapters',
    'TextPrompt': 'glip.text',
    'GLIPError': 'glip.errors',
}

__all__ = ['Detections', 'GLIPError', 'TextPrompt', '__version__', 'load', 'pipeline']


def _imported(module: str) -> Any:
    """Import a module; looking for garbage meanwhile takes a fifth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return import_module(module)
    finally:
        if collects:
            gc.enable()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(_imported(_LAZY[name]), name)
    raise AttributeError(f"module 'glip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
