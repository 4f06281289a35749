"""What happens to a sample on its way into a batch.

What training needs is imported when it is first asked for: it brings mmdet's transforms
along, which take a second.
"""

from importlib import import_module
from typing import Any

from glip.transforms.formatting import PackDetInputs
from glip.transforms.loading import LoadImageFromFile

_OF_TRAINING = (
    'GTBoxSubOne_GLIP',
    'LoadAnnotations',
    'NegativeCaptions',
    'RandomSamplingNegPos',
)

__all__ = [
    'GTBoxSubOne_GLIP',
    'LoadAnnotations',
    'LoadImageFromFile',
    'NegativeCaptions',
    'PackDetInputs',
    'RandomSamplingNegPos',
]


def __getattr__(name: str) -> Any:
    if name in _OF_TRAINING:
        return getattr(import_module('glip.transforms.training'), name)
    raise AttributeError(f"module 'glip.transforms' has no attribute {name!r}")
