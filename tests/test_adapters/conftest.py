"""A detector that finds colours, in a picture whose boxes are known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from standin import scene, write_standin

from glip.apis import Detector, load


@pytest.fixture(scope='session')
def boxes() -> dict[str, tuple[int, int, int, int]]:
    """x1, y1, x2, y2 of the colours in ``picture``."""
    return {'red': (40, 60, 200, 100), 'blue': (240, 0, 320, 120)}


@pytest.fixture(scope='session')
def standin_files(tmp_path_factory) -> tuple[str, str]:
    """Config and checkpoint."""
    return write_standin(tmp_path_factory.mktemp('standin'))


@pytest.fixture(scope='session')
def detector(standin_files) -> Detector:
    """The stand-in, whose scores are shares of the picture: red 1/8, blue 3/16."""
    detector = load(*standin_files, device='cpu')
    detector.cfg.default_threshold = 0.05
    return detector


@pytest.fixture(scope='session')
def picture(boxes) -> Image.Image:
    """The picture with the boxes, of the size at which the stand-in looks."""
    return Image.fromarray(scene(320, 160, **boxes)[..., ::-1].copy())


@pytest.fixture(scope='session')
def picture_file(picture, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp('pictures') / 'colours.png'
    picture.save(path)
    return str(path)


@pytest.fixture(scope='session')
def pixels(picture) -> np.ndarray:
    """The picture in RGB."""
    return np.asarray(picture)
