"""Time and memory of work."""

import pytest
import torch

from glip.runtime.measuring import clock, gpu_bytes, peak_memory


def test_the_clock_waits_for_a_gpu(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, 'synchronize', waits.append)
    start = clock()
    assert not waits
    assert clock('cuda:1') >= start
    assert waits == [torch.device('cuda:1')]


def test_bytes_on_a_gpu_are_those_above_what_was_there(monkeypatch):
    held = dict(now=100, most=900)  # the peak of earlier work

    def work():
        held['most'] = max(held['now'] + 50, held['most'])

    monkeypatch.setattr(torch.cuda, 'synchronize', lambda: None)
    monkeypatch.setattr(
        torch.cuda, 'reset_peak_memory_stats', lambda: held.update(most=held['now'])
    )
    monkeypatch.setattr(torch.cuda, 'memory_allocated', lambda: held['now'])
    monkeypatch.setattr(torch.cuda, 'max_memory_allocated', lambda: held['most'])
    assert gpu_bytes(work) == 50


def test_the_peak_stays_when_memory_is_freed():
    pytest.importorskip('resource')
    tensor = torch.ones(64 * 2**20 // 4)
    peak = peak_memory()
    del tensor
    assert peak_memory() >= peak >= 64
