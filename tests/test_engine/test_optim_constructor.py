"""Who learns how fast: the parameter groups of the original, on the real models."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from torch import nn

from glip.engine import GLIPOptimWrapperConstructor
from glip.errors import ConfigError
from glip.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

CONFIGS = Path(__file__).parents[2] / 'configs'
SCHEDULES = CONFIGS / '_base_' / 'schedules'
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


def schedule(name: str) -> Config:
    return Config.fromfile(SCHEDULES / f'schedule_glip_{name}.py')


def groups_of(model: nn.Module, cfg: Config) -> dict[str, dict]:
    """Optimizer settings by parameter name."""
    with MODELS.switch_scope_and_registry('glip'):
        wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(param)]: group
        for group in wrapper.optimizer.param_groups
        for param in group['params']
    }


def on_meta(name: str, **changes) -> nn.Module:
    """A full-size model without its memory."""
    cfg = Config.fromfile(CONFIGS / '_base_' / 'models' / f'glip_{name}.py')
    cfg.model.backbone.update(changes)
    with torch.device('meta'), MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(cfg.model)


def expected(name: str, in_norm: bool, *, lr: float, lang: float, wd: float):
    """The original's rules (notes on its hyper-parameters), written out."""
    rate = lang if name.startswith('language_model.') else lr
    is_bias = 'bias' in name
    return rate * (2 if is_bias else 1), 0.0 if is_bias or in_norm else wd


@pytest.mark.parametrize('size', ['swin-t_a', 'swin-t', 'swin-l'])
def test_every_parameter_of_a_model_is_in_its_group(size):
    large = size == 'swin-l'
    model = on_meta(size, frozen_stages=1 if large else -1)
    found = groups_of(model, schedule('pretrain_large' if large else 'pretrain'))
    wd = 1e-2 if large else 1e-4
    norms = {n for n, module in model.named_modules() if isinstance(module, NORMS)}
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert found.keys() == trained.keys()
    frozen = {n for n in dict(model.named_parameters()) if n not in trained}
    assert bool(frozen) == large
    assert all(n.startswith('backbone.') for n in frozen)
    for name, group in found.items():
        lr, decay = expected(
            name, name.rpartition('.')[0] in norms, lr=1e-4, lang=1e-5, wd=wd
        )
        assert group['lr'] == pytest.approx(lr), name
        assert group['weight_decay'] == pytest.approx(decay), name
    assert {g['name'] for g in found.values()} == {
        *('base', 'norm', 'bias'),
        *('language_model', 'language_model_norm', 'language_model_bias'),
    }


def test_terms_by_name():
    found = groups_of(on_meta('swin-t'), schedule('pretrain'))

    def terms(part: str) -> tuple[float, float]:
        (term,) = {
            (round(group['lr'], 9), group['weight_decay'])
            for name, group in found.items()
            if part in name
        }
        return term

    # Not named bias, yet biases.
    assert terms('relative_position_bias_table') == (2e-4, 0.0)
    assert terms('head.bias_lang') == terms('head.bias0') == (2e-4, 0.0)
    # BERT layers inside the head are not the language model.
    assert terms('dyhead_tower.1.intermediate.dense.weight') == (1e-4, 1e-4)
    assert terms('dyhead_tower.1.attention.output.LayerNorm.weight') == (1e-4, 0.0)
    layer = 'language_model.language_backbone.body.model.encoder.layer.0.'
    assert terms(layer + 'intermediate.dense.weight') == (1e-5, 1e-4)
    assert terms(layer + 'intermediate.dense.bias') == (2e-5, 0.0)
    assert terms(layer + 'output.LayerNorm.weight') == (1e-5, 0.0)
    assert terms('log_scale') == terms('gamma_v') == (1e-4, 1e-4)


def test_fine_tuning_has_one_rate():
    cfg = schedule('finetune')
    found = groups_of(on_meta('swin-t_a'), cfg)
    assert {round(g['lr'], 9) for g in found.values()} == {1e-5, 2e-5}
    assert cfg.train_cfg.max_epochs == 24
    assert cfg.auto_scale_lr.base_batch_size == 32


class Wrapped(nn.Module):
    """A part in the middle of the names, as activation checkpointing puts it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._checkpoint_wrapped_module = inner


def test_wrappers_do_not_change_who_is_who():
    model = nn.Module()
    model.language_model = Wrapped(nn.Linear(2, 2))
    model.tied = model.language_model._checkpoint_wrapped_module  # counted once
    found = groups_of(model, schedule('pretrain'))
    prefix = 'language_model._checkpoint_wrapped_module.'
    assert found[prefix + 'weight']['name'] == 'language_model'
    assert found[prefix + 'bias']['lr'] == pytest.approx(2e-5)
    assert len(found) == 2


def test_the_longest_key_counts_and_rules_multiply():
    model = nn.Sequential()
    model.add_module('backbone', nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    cfg = Config(
        dict(
            optim_wrapper=dict(
                constructor='GLIPOptimWrapperConstructor',
                optimizer=dict(type='SGD', lr=1.0, weight_decay=1.0),
                paramwise_cfg=dict(
                    custom_keys={
                        'backbone': dict(lr_mult=0.5),
                        'backbone.0': dict(lr_mult=0.1, decay_mult=0.5),
                    },
                    bias_lr_mult=2,
                    norm_decay_mult=0.1,
                ),
            )
        )
    )
    found = {
        name: (group['lr'], group['weight_decay'])
        for name, group in groups_of(model, cfg).items()
    }
    assert found == {
        'backbone.0.weight': (0.1, 0.5),
        'backbone.0.bias': (0.2, 0.5),
        'backbone.1.weight': (0.5, 0.1),
        'backbone.1.bias': (1.0, 0.1),
    }


def test_a_rule_that_is_not_known_is_refused():
    with pytest.raises(ConfigError, match='dwconv_decay_mult is not known'):
        GLIPOptimWrapperConstructor(
            dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=1.0)),
            dict(dwconv_decay_mult=0.0),
        )
    registered = OPTIM_WRAPPER_CONSTRUCTORS.get('GLIPOptimWrapperConstructor')
    assert registered is GLIPOptimWrapperConstructor


def test_rates_over_a_run():
    """Warm-up, steps and, for L, the decay that falls with them."""
    model = nn.Sequential(nn.Linear(2, 2))
    for name, by_epoch in (('pretrain', True), ('pretrain_large', False)):
        cfg = schedule(name)
        with MODELS.switch_scope_and_registry('glip'):
            wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
        warm_up, steps, *decay = cfg.param_scheduler
        assert (warm_up.start_factor, warm_up.end) == (0.001, 2000)
        assert not warm_up.by_epoch
        last = cfg.train_cfg.max_epochs if by_epoch else cfg.train_cfg.max_iters
        assert steps.end == last
        ratios = [milestone / last for milestone in steps.milestones]
        assert ratios == pytest.approx([0.67, 0.89], abs=0.02)
        assert wrapper.clip_grad_kwargs == dict(max_norm=1.0, norm_type=2)
        emas = [hook for hook in cfg.custom_hooks if hook.type == 'EMAHook']
        assert [1 - hook.momentum for hook in emas] == ([0.999] if by_epoch else [])
        assert cfg.auto_scale_lr.base_batch_size == 64
        if decay:
            assert decay[0].param_name == 'weight_decay'
            assert [d / m for d, m in zip(decay[0].milestones, steps.milestones)] == (
                pytest.approx([0.667, 0.667])
            )
