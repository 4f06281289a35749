"""Mixed precision: what it computes in, that it stays finite, and what it refuses."""

import pytest
import torch
from torch import nn

from glip.engine import AmpOptimWrapper
from glip.engine import amp_optim_wrapper as amp
from glip.errors import ConfigError
from glip.registry import OPTIM_WRAPPERS
from glip.runtime.precision import half_precision


@pytest.fixture
def gpu(monkeypatch):
    """Pretend to have a GPU, with or without bfloat16."""

    def pretend(has_bf16: bool):
        monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
        monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda **_: has_bf16)

    return pretend


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)


def wrapper(**options) -> AmpOptimWrapper:
    model = nn.Linear(4, 4)
    options.setdefault('optimizer', torch.optim.SGD(model.parameters(), lr=0.1))
    return AmpOptimWrapper(**options)


def test_our_class_is_what_configs_mean():
    assert OPTIM_WRAPPERS.get('AmpOptimWrapper') is AmpOptimWrapper


def test_the_type_follows_the_machine(gpu):
    gpu(has_bf16=True)
    assert amp.amp_dtype() == amp.amp_dtype('bf16') == 'bfloat16'
    assert amp.amp_dtype('fp16') == amp.amp_dtype(torch.float16) == 'float16'
    gpu(has_bf16=False)
    assert amp.amp_dtype('auto') == 'float16'
    with pytest.raises(ConfigError, match='no bfloat16'):
        amp.amp_dtype('bfloat16')


def test_the_cpu_has_bfloat16_only(no_gpu):
    assert amp.amp_dtype('auto') == amp.amp_dtype('bf16') == 'bfloat16'
    with pytest.raises(ConfigError, match='fp16 needs a GPU'):
        wrapper(dtype='float16')
    with pytest.raises(ConfigError, match="'int8' is not known"):
        amp.amp_dtype('int8')


def test_forward_is_half_and_the_update_full(no_gpu):
    model = nn.Linear(4, 4)
    opt = wrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    with opt.optim_context(model):
        out = model(torch.ones(1, 4))
    assert out.dtype is torch.bfloat16
    opt.update_params(out.float().sum())
    assert model.weight.dtype is torch.float32
    assert 'loss_scaler' not in opt.state_dict()


def test_float16_scales_the_loss_and_skips_overflow(monkeypatch, gpu):
    gpu(has_bf16=True)
    monkeypatch.setattr(
        amp, '_scaler', lambda options: torch.amp.GradScaler('cpu', **options)
    )
    model = nn.Linear(4, 4)
    options = dict(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        dtype='float16',
        loss_scale=dict(init_scale=64.0),
        clip_grad=dict(max_norm=1.0),
    )
    opt = wrapper(**options)
    before = model.weight.detach().clone()
    opt.update_params(model(torch.ones(1, 4)).sum() * float('inf'))
    assert torch.equal(model.weight, before)
    assert opt.loss_scaler.get_scale() == 32.0
    opt.update_params(model(torch.ones(1, 4)).sum())
    # Unscaled and clipped to a norm of one: (16 + 4) gradients of one.
    assert torch.allclose(before - model.weight, torch.full((4, 4), 0.1 / 20**0.5))
    again = wrapper(**options | dict(clip_grad=None))
    again.load_state_dict(opt.state_dict())
    assert again.loss_scaler.get_scale() == 32.0
    # A training may go on in another precision.
    full = wrapper(optimizer=options['optimizer'], dtype='bfloat16')
    full.load_state_dict(opt.state_dict())


def test_a_fixed_scale_stays(monkeypatch, gpu):
    gpu(has_bf16=False)
    monkeypatch.setattr(
        amp, '_scaler', lambda options: torch.amp.GradScaler('cpu', **options)
    )
    model = nn.Linear(4, 4)
    opt = wrapper(
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        dtype='fp16',
        loss_scale=8.0,
    )
    opt.update_params(model(torch.ones(1, 4)).sum() * float('inf'))
    opt.update_params(model(torch.ones(1, 4)).sum())
    assert opt.loss_scaler.get_scale() == 8.0


@pytest.mark.parametrize('has_bf16', [True, False])
def test_a_cpu_that_is_slow_in_half_precision_is_told_of(has_bf16, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr('glip.runtime.precision.onednn_has_bf16', lambda: has_bf16)
    said = []
    monkeypatch.setattr(
        'glip.runtime.precision.print_log', lambda message, *_: said.append(message)
    )
    assert half_precision(True) is torch.bfloat16
    assert half_precision(False) is None
    assert len(said) == (not has_bf16)
    assert has_bf16 or 'leave --amp out' in said[0]
