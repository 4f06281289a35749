"""Importing mmdet leaves standard output to those who print results."""

import logging
import subprocess
import sys
from pathlib import Path

import mmengine.logging.logger as mmengine_logger
import pytest

import glip
from glip.compat import quiet_mmdet

_ROOT = Path(glip.__file__).resolve().parent.parent
_NOTICE = 'Could not import OneDL. Skipping OneDL datasets.'


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


def test_mmdet_prints_nothing_in_a_fresh_process():
    code = (
        'import glip, mmdet.models, mmdet.apis, mmdet.datasets.transforms\n'
        'assert mmdet.models.RetinaNet and mmdet.datasets.CocoDataset\n'
        'import inspect\n'
        'assert "OneDL" in inspect.getsource(mmdet.datasets)\n'
        'print("result")'
    )
    assert _output(code) == 'result\n'


def test_only_the_notice_is_kept_back(capsys, caplog):
    with caplog.at_level(logging.DEBUG, logger='glip'):
        with quiet_mmdet._notice_as_debug_output():
            mmengine_logger.print_log(_NOTICE, level=logging.DEBUG)
            mmengine_logger.print_log('another line')
            print(_NOTICE, 'printed by somebody else')
    assert capsys.readouterr().out == (
        f'another line\n{_NOTICE} printed by somebody else\n'
    )
    assert _NOTICE in caplog.text


def test_print_is_given_back_after_an_error(capsys):
    with pytest.raises(ImportError):
        with quiet_mmdet._notice_as_debug_output():
            raise ImportError
    assert 'print' not in vars(mmengine_logger)
    mmengine_logger.print_log(_NOTICE)
    assert capsys.readouterr().out == f'{_NOTICE}\n'


def test_finder_minds_one_package_only():
    (finder,) = [f for f in sys.meta_path if isinstance(f, quiet_mmdet._QuietFinder)]
    assert finder.find_spec('mmdet.models', None) is None
    assert finder.find_spec('mmdet.datasets', []) is None  # mmdet is not installed
