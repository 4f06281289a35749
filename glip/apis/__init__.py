"""Load a model, show it pictures, get detections."""

from glip.apis.detections import Detections
from glip.apis.detector import Detector
from glip.apis.loading import build_model, load, read_config
from glip.apis.train import build_runner
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
