"""Importing mmdet leaves standard output to those who print results."""

import subprocess
import sys
from pathlib import Path

import glip

_ROOT = Path(glip.__file__).resolve().parent.parent


def _output(code):
    """Standard output of a fresh process."""
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            f'import sys\nsys.path.insert(0, {str(_ROOT)!r})\n{code}',
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_mmdet_prints_nothing_when_a_registry_imports_it():
    code = (
        'import glip.registry, mmdet.models, mmdet.apis, mmdet.datasets.transforms\n'
        'assert mmdet.models.RetinaNet and mmdet.datasets.CocoDataset\n'
        'print("result")'
    )
    assert _output(code) == 'result\n'


def test_what_is_logged_later_is_printed():
    code = (
        'import glip.registry\n'
        'from mmengine.logging import MMLogger, print_log\n'
        'print_log("plain")\n'
        'MMLogger.get_instance("later").info("logged")\n'
    )
    lines = _output(code).splitlines()
    assert lines[0] == 'plain'
    assert lines[1].endswith('logged')


def test_words_and_colours_print_nothing():
    code = (
        'from glip.text import dataset_classes\n'
        'from glip.visualization.drawing import PALETTES, class_colors\n'
        'assert len(dataset_classes("coco")) == 80\n'
        'for palette in PALETTES:\n'
        '    class_colors(palette, 3)\n'
    )
    assert _output(code) == ''
