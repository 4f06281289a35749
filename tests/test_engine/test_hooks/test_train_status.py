"""Rates of all groups and the memory, for the log."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from glip.engine.hooks import TrainStatusHook
from glip.engine.hooks.train_status import peak_memory


def test_rates_by_group_and_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    one, two = nn.Linear(1, 1).parameters()
    optimizer = torch.optim.SGD(
        [dict(params=[one], lr=0.5, name='language_model bias'), dict(params=[two])],
        lr=0.1,
    )
    hub = MessageHub.get_instance('status')
    runner = SimpleNamespace(
        message_hub=hub, optim_wrapper=SimpleNamespace(optimizer=optimizer)
    )
    hook = TrainStatusHook()
    hook.before_train_iter(runner, 0)
    hook.after_train_iter(runner, 0)
    logged = hub.log_scalars
    assert logged['train/language_model_bias_lr'].current() == 0.5
    assert [name for name in logged if name.endswith('_lr')] == [
        'train/language_model_bias_lr'
    ]
    assert logged['train/memory'].current() > 50


def test_memory_is_in_megabytes():
    before = peak_memory()
    if before is None:
        pytest.skip('this system does not count the memory of a process')
    held = np.ones(2**25)  # 256 MB
    assert peak_memory() >= held.nbytes / 2**20
