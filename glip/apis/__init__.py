"""Load a model, show it pictures, get detections."""

from glip.apis.detections import Detections
from glip.apis.detector import Detector
from glip.apis.images import find_images, load_image
from glip.apis.loading import build_model, load, read_config

__all__ = [
    'Detections',
    'Detector',
    'build_model',
    'find_images',
    'load',
    'load_image',
    'read_config',
]
