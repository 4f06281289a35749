"""GLIP: words in, boxes out (arXiv 2112.03857)."""

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


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'glip' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
