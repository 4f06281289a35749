"""What the tests of the stand-in for mmcv's compiled ops share."""

import importlib.util

import numpy as np
import pytest

import glip  # noqa: F401  (before the tests import mmcv.ops)


@pytest.fixture(scope='session')
def unit(shared):
    """Function that makes the inputs of the recorded operations."""
    path = shared / 'official' / 'fill.py'
    spec = importlib.util.spec_from_file_location('fill', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.unit


@pytest.fixture(scope='session')
def recorded(shared):
    """Results of single operations of the original model."""
    with np.load(shared / 'official' / 'ops.npz') as file:
        return dict(file)
