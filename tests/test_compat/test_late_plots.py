"""mmdet's models are imported without matplotlib, and still draw."""

import subprocess
import sys
from pathlib import Path

import glip

_ROOT = Path(glip.__file__).resolve().parent.parent
_DRAWING = """
import sys
sys.path.insert(0, sys.argv[1])
import glip
import mmdet.models, mmdet.utils
import numpy as np
assert 'matplotlib' not in sys.modules
mmdet.utils.imshow_mot_errors(
    np.zeros((60, 80, 3), np.uint8), np.array([[5, 5, 40, 40, 0.9]]), np.array([3]),
    np.array([1]), show=False, out_file=sys.argv[2])
assert 'matplotlib' in sys.modules
"""


def test_mmdet_draws_tracks_with_matplotlib_imported_late(tmp_path):
    picture = tmp_path / 'tracks.png'
    done = subprocess.run(
        [sys.executable, '-c', _DRAWING, _ROOT, picture],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size


def test_matplotlib_that_is_imported_already_is_used():
    code = (
        'import sys; sys.path.insert(0, sys.argv[1]); import matplotlib.pyplot, glip\n'
        'import mmdet.utils.mot_error_visualize as module\n'
        'assert module.plt is matplotlib.pyplot'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, _ROOT], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
