"""Load a model, show it pictures, get detections."""

from importlib import import_module
from typing import Any

from glip.apis.detections import Detections
from glip.apis.detector import Detector
from glip.apis.loading import build_model, load
from glip.config.files import read_config
from glip.images import find_images, load_image

__all__ = [
    'Detections',
    'Detector',
    'build_model',
    'build_runner',
    'find_images',
    'load',
    'load_image',
    'read_config',
]


def __getattr__(name: str) -> Any:
    # Training and evaluation are imported by those who train or evaluate.
    if name == 'build_runner':
        return import_module('glip.engine.run').build_runner
    raise AttributeError(f"module 'glip.apis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
