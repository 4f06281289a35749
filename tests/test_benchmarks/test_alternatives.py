"""Other detectors and ours are called in turn."""

from __future__ import annotations

import pytest
import torch

from benchmarks import alternatives
from benchmarks.speed.timing import in_turn


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
            with torch.no_grad():
                in_turn({label: call}, 3)
            counts[label], encoded[:] = len(encoded), []
    assert counts == {'B': 1, 'B, new words': 4}


@pytest.mark.parametrize('name', ['nobody', 'Grounding'])
def test_peers_that_are_none(name):
    with pytest.raises(SystemExit):
        alternatives.main(['--peers', name])
