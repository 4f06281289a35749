"""Rates of all groups and the memory, for the log."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn

from glip.engine.hooks import TrainStatusHook
from glip.runtime.measuring import peak_memory


def shown(optimizer, name: str) -> dict[str, float]:
    """What the hook logs in a step."""
    hub, lines = MessageHub.get_instance(name), []
    runner = SimpleNamespace(
        message_hub=hub,
        optim_wrapper=SimpleNamespace(optimizer=optimizer),
        model=nn.Linear(3, 5),
        train_dataloader=SimpleNamespace(dataset=range(7)),
        max_iters=30,
        cfg=SimpleNamespace(filename='a/b.py'),
        logger=SimpleNamespace(info=lines.append),
    )
    hook = TrainStatusHook()
    hook.before_train(runner)
    assert '7 samples' in lines[0] and '30 steps' in lines[0]
    hook.before_train_iter(runner, 0)
    hook.after_train_iter(runner, 0)
    return {
        name.removeprefix('train/'): history.current()
        for name, history in hub.log_scalars.items()
    }


def groups(*options: dict) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        [dict(params=nn.Linear(1, 1).parameters(), **more) for more in options], lr=0.1
    )


def test_named_groups_and_memory(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    optimizer = groups(dict(name='base'), dict(lr=0.5, name='language_model bias'))
    logged = shown(optimizer, 'named')
    assert logged.pop('memory') > 50
    assert logged == {'base_lr': 0.1, 'language_model_bias_lr': 0.5}


def test_groups_without_a_name_where_their_rate_differs(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    optimizer = groups({}, dict(weight_decay=0.5), dict(lr=0.02), dict(lr=0.02))
    # The first group's rate is in mmengine's log, as is the memory of a GPU.
    assert shown(optimizer, 'unnamed') == {'group2_lr': 0.02}


def test_memory_is_in_megabytes():
    before = peak_memory()
    if before is None:
        pytest.skip('this system does not count the memory of a process')
    held = np.ones(2**25)  # 256 MB
    assert peak_memory() >= held.nbytes / 2**20
