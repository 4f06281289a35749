"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest
import torch

_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def shared() -> Path:
    """Folder of recorded numbers and real pictures that is not part of the product.

    ``GLIP_SHARED`` names it; by default it is looked for beside the checkout.
    """
    folder = Path(os.environ.get('GLIP_SHARED', _ROOT.parent / 'shared'))
    if not folder.is_dir():
        pytest.skip(f'needs the material folder {folder.name}/ (set GLIP_SHARED)')
    return folder


@pytest.fixture(scope='module')
def one_thread():
    """Sums are split over threads, so their number has to be settled."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
