"""Detectors as other tools expect them: one small class for each tool.

A module imports the package of its tool, which stays optional, and is itself imported
when its class is asked for.
"""

from importlib import import_module
from typing import Any

_LAZY = {
    'AutodistillModel': 'glip.adapters.autodistill',
    'CvatFunction': 'glip.adapters.cvat',
    'FiftyOneModel': 'glip.adapters.fiftyone',
    'SahiModel': 'glip.adapters.sahi',
    'pipeline': 'glip.adapters.transformers',
}

__all__ = [
    'AutodistillModel',
    'CvatFunction',
    'FiftyOneModel',
    'SahiModel',
    'pipeline',
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'glip.adapters' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
