"""Other detectors and ours are called in turn."""

from __future__ import annotations

import pytest
import torch

from benchmarks import alternatives


def test_calls_take_turns_after_one_to_warm_up():
    order = []
    calls = {name: lambda name=name: order.append(name) for name in 'ab'}
    times = alternatives.seconds_of(calls, 2, torch.get_num_threads())
    assert order == ['a', 'b'] * 3
    assert {name: len(values) for name, values in times.items()} == {'a': 2, 'b': 2}


def test_new_words_are_encoded_in_each_call(fused, monkeypatch):
    monkeypatch.setattr(alternatives, 'build_ours', lambda _: fused.ours)
    encoded = []
    handle = fused.ours.language_model.register_forward_hook(
        lambda *_: encoded.append(1)
    )
    with handle:
        calls = alternatives.our_calls('B', (64, 96))
        counts = {}
        for label, call in calls.items():
            alternatives.seconds_of({label: call}, 3, None)
            counts[label], encoded[:] = len(encoded), []
    assert counts == {'B': 1, 'B, new words': 4}


@pytest.mark.parametrize('name', ['nobody', 'Grounding'])
def test_peers_that_are_none(name):
    with pytest.raises(SystemExit):
        alternatives.main(['--peers', name])
