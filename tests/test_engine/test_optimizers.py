"""AdamW by one kernel: who gets it, the same numbers, states of other kernels."""

import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from torch import nn

from glip.engine import AdamW
from glip.registry import MODELS

HOW = dict(lr=1e-2, weight_decay=0.05)


def steps(optimizer: torch.optim.Optimizer, count: int, start: int = 0) -> list:
    """Take steps with gradients of noise; the parameters after them."""
    parameters = [p for group in optimizer.param_groups for p in group['params']]
    for number in range(start, start + count):
        noise = torch.Generator().manual_seed(number)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=noise)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    return [p.detach().clone() for p in parameters]


def layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(30, 20), nn.LayerNorm(20))


def groups(model: nn.Module) -> list[dict]:
    return [dict(params=m.parameters(), lr=1e-2 / (i + 1)) for i, m in enumerate(model)]


def test_same_steps_as_torchs():
    ours = AdamW(groups(layers()), **HOW)
    theirs = torch.optim.AdamW(groups(layers()), **HOW)
    assert [g['fused'] for g in ours.param_groups] == [True, True]
    for one, other in zip(steps(ours, 20), steps(theirs, 20), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ('asked', 'fused'),
    [
        (dict(), True),
        (dict(fused=False), False),
        (dict(foreach=True), None),
        (dict(differentiable=True), None),
    ],
)
def test_a_wish_counts(asked, fused):
    optimizer = AdamW(layers().parameters(), **HOW, **asked)
    assert optimizer.defaults['fused'] is fused


def test_where_it_cannot_be_it_is_not():
    with torch.device('meta'):
        parameters = [nn.Parameter(torch.zeros(3))]
    assert AdamW(parameters, lr=1.0).defaults['fused'] is None


@pytest.mark.parametrize('kernel', [dict(), dict(foreach=True), dict(fused=True)])
def test_goes_on_from_any_kernel(kernel):
    whole = steps(torch.optim.AdamW(layers().parameters(), **HOW, **kernel), 8)
    model = layers()
    first = torch.optim.AdamW(model.parameters(), **HOW, **kernel)
    steps(first, 5)
    state = copy.deepcopy(first.state_dict())
    second = AdamW(model.parameters(), **HOW)
    second.load_state_dict(state)
    assert second.param_groups[0]['fused'] is True
    assert second.param_groups[0]['foreach'] is None
    assert state['param_groups'][0]['fused'] is kernel.get('fused')  # left as it was
    for one, other in zip(steps(second, 3, start=5), whole, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_config_that_names_adamw_means_it():
    cfg = dict(optimizer=dict(type='AdamW', lr=1e-4))
    with MODELS.switch_scope_and_registry('glip'):
        wrapper = build_optim_wrapper(layers(), cfg)
    assert type(wrapper.optimizer) is AdamW
    assert wrapper.optimizer.defaults['fused'] is True
