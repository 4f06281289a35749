"""Pictures of colours, and the stand-in model that finds them."""

from __future__ import annotations

import pytest
from PIL import Image
from standin import write_standin

from glip.apis import load
from glip.page.kept import KeptDetections

# Corners x1 y1 x2 y2 of the coloured part of each picture.
PARTS = {
    'one.png': ('red', (20, 20, 100, 60)),
    'two.png': ('blue', (10, 10, 60, 70)),
    'three.png': ('red', (80, 40, 120, 80)),
}


@pytest.fixture
def pictures(tmp_path):
    """A folder of three gray pictures, each with a coloured part."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for name, (color, corners) in PARTS.items():
        picture = Image.new('RGB', (160, 160), 'gray')
        picture.paste(color, corners)
        picture.save(folder / name)
    return folder


@pytest.fixture
def model(tmp_path):
    """Config and checkpoint of the stand-in, which finds colours."""
    folder = tmp_path / 'model'
    folder.mkdir()
    return write_standin(folder)


@pytest.fixture
def kept(model):
    return KeptDetections(load(*model, device='cpu'))
