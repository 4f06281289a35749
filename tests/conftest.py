"""Fixtures every test may use."""

import pytest
import torch


@pytest.fixture(scope='module')
def one_thread():
    """Sums are split over threads, so their number has to be settled."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
