"""The command on a stand-in model that knows colours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / 'test_apis'))


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Flags that name the stand-in; the test runs in its folder."""
    from standin import write_standin

    monkeypatch.chdir(tmp_path)
    config, weights = write_standin(tmp_path)
    return ['--model', str(config), '--weights', str(weights)]


@pytest.fixture
def pictures(tmp_path):
    """A red and a blue picture, and a file that is none."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for name, color in (('one.png', 'red'), ('two.jpg', 'blue')):
        picture = Image.new('RGB', (120, 80), 'gray')
        picture.paste(color, (16, 16, 80, 64))
        picture.save(folder / name)
    (folder / 'notes.md').write_text('no picture')
    return folder
