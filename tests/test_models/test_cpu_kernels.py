"""Kernels that are put into a model from outside."""

import copy
import pickle

import pytest
import torch
from torch import nn

from glip.apis import read_config
from glip.models.cpu import use_cpu_kernels
from glip.models.language import BertLayer
from glip.ops import plain_path
from glip.ops.cpu import Linear
from glip.paths import config_root
from glip.registry import MODELS

from .conftest import sample, tiny

SHAPE = (64, 96)


@pytest.fixture
def plain_model():
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(tiny()).eval()


@torch.no_grad()
def outputs(model):
    picture = torch.randn(1, 3, *SHAPE, generator=torch.Generator().manual_seed(1))
    out = model(picture, [sample(SHAPE, ['cat', 'dog'])], mode='tensor')
    return [level for levels in out for level in levels]


def test_they_compute_the_same_and_the_plain_path_is_that_of_the_plain_model(
    plain_model,
):
    fast = use_cpu_kernels(copy.deepcopy(plain_model))
    expected, found = outputs(plain_model), outputs(fast)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert not all(map(torch.equal, found, expected))  # other sums, so other kernels
    with plain_path():
        assert all(map(torch.equal, outputs(fast), outputs(plain_model)))


def test_names_of_weights_and_kinds_stay(plain_model):
    fast = use_cpu_kernels(copy.deepcopy(plain_model))
    assert list(fast.state_dict()) == list(plain_model.state_dict())
    modules = zip(fast.modules(), plain_model.modules(), strict=True)
    pairs = {(type(one), type(other)) for one, other in modules}
    assert all(issubclass(one, other) for one, other in pairs)
    assert {one.__name__ for one, other in pairs if one is not other} >= {
        'SwinBlock',
        'PatchMerging',
        'DyConv',
        'BiAttention',
        'Linear',
    }
    layers = [m for m in fast.modules() if isinstance(m, BertLayer)]
    inner = [m for layer in layers for m in layer.modules() if isinstance(m, nn.Linear)]
    assert inner and {type(linear) for linear in inner} == {Linear}


def test_a_second_time_and_a_copy_change_nothing(plain_model):
    fast = use_cpu_kernels(plain_model)
    kinds = [type(module) for module in fast.modules()]
    for model in (use_cpu_kernels(fast), copy.deepcopy(fast)):
        assert [type(module) for module in model.modules()] == kinds


def nano():
    torch.manual_seed(0)
    cfg = read_config(config_root() / 'glip' / 'glip_nano_csp_minilm.py').model
    cfg.backbone.stem_channels = 8
    cfg.neck.neck.in_channels = [32, 64, 128]
    cfg.language_model.config.update(intermediate_size=64)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(cfg).eval()


@pytest.mark.parametrize('change', ['none', 'in place', 'assigned', 'copied'])
def test_weights_that_are_laid_out_once_are_those_of_the_model(change):
    plain = nano()
    fast = use_cpu_kernels(copy.deepcopy(plain), frozen=True)
    outputs(fast)
    if change == 'in place':
        with torch.no_grad():
            for model in (plain, fast):
                for parameter in model.parameters():
                    parameter.mul_(0.9)
    elif change == 'assigned':
        state = {k: v * 0.9 for k, v in plain.state_dict().items()}
        plain.load_state_dict(state)
        fast.load_state_dict(state, assign=True)
    elif change == 'copied':
        fast = pickle.loads(pickle.dumps(fast))  # noqa: S301
    for one, other in zip(outputs(fast), outputs(plain), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_a_model_for_inference_can_train():
    plain = nano()
    fast = use_cpu_kernels(copy.deepcopy(plain), frozen=True)
    outputs(fast)
    for model in (plain, fast):
        maps = model.extract_feat(torch.ones(1, 3, 64, 64))
        sum(level.square().mean() for level in maps).backward()
    for one, other in zip(
        fast.backbone.parameters(), plain.backbone.parameters(), strict=True
    ):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-3)
