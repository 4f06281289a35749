"""Time and memory of work."""

import time

import pytest
import torch

from glip.runtime.measuring import Timer, peak_memory


def test_a_block_is_timed_without_what_is_around_it():
    time.sleep(0.02)
    start = time.perf_counter()
    with Timer() as timer:
        time.sleep(0.01)
    around = time.perf_counter() - start
    assert 0.01 <= timer.seconds <= around


def test_an_error_passes_and_the_time_stays():
    timer = Timer()
    with pytest.raises(KeyError), timer:
        raise KeyError
    assert timer.seconds > 0


def test_a_gpu_is_waited_for_on_both_sides(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, 'synchronize', waits.append)
    with Timer('cuda:1'):
        assert waits == [torch.device('cuda:1')]
    assert len(waits) == 2


def test_the_peak_stays_when_memory_is_freed():
    pytest.importorskip('resource')
    tensor = torch.ones(64 * 2**20 // 4)
    with_tensor = peak_memory()
    del tensor
    assert peak_memory() >= with_tensor >= 64
