"""Tuning modes: one key of the config says which parameters train."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip.errors import ConfigError
from glip.models.detectors import check_tuning
from glip.runtime.leaves import iter_leaves

# Learning rate and weight decay of the original's commands for its tuning modes, with
# 4 pictures a step; the rate of the language model is a tenth of that of the rest.
_RATES = {
    'linear_probe': dict(lr=1e-4, weight_decay=0.05),
    'prompt': dict(lr=0.05, weight_decay=0.25),
    'language': dict(lr=1e-5, weight_decay=0.05),
}
# Biases learn twice as fast and do not decay (microsoft/GLIP, solver/build.py).
_PARAMWISE = dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0)
_HOOK = 'TuningHook'
_WORD_DRAWING = ('RandomSamplingNegPos', 'glip.RandomSamplingNegPos')
_KEYS = ('mode', 'lr', 'weight_decay')


def settle_tuning(cfg: Config) -> None:
    """Let the optimizer have what ``tuning`` stands for.

    ``tuning`` is the name of a mode, or ``dict(mode=..., lr=..., weight_decay=...)``,
    of which None leaves what the optimizer says. Afterwards it is the latter with None,
    so that what is changed in the optimizer from then on counts.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: There is no such mode or key.
    """
    tuning = cfg.get('tuning')
    if tuning is None:
        return
    mode, rates = _read(tuning)
    if cfg.get('optim_wrapper') and any(rate is not None for rate in rates.values()):
        optimizer = dict(cfg.optim_wrapper.get('optimizer') or dict(type='AdamW'))
        optimizer |= {key: rate for key, rate in rates.items() if rate is not None}
        cfg.optim_wrapper.optimizer = optimizer
        cfg.optim_wrapper.paramwise_cfg = dict(_PARAMWISE)
        # Leaves frozen parameters out.
        cfg.optim_wrapper.constructor = 'GLIPOptimWrapperConstructor'
    cfg.tuning = dict(mode=mode, lr=None, weight_decay=None)


def apply_tuning(cfg: Config) -> None:
    """Tell the model what to train.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: As :func:`settle_tuning`.
    """
    settle_tuning(cfg)
    tuning, model = cfg.get('tuning'), cfg.get('model')
    if model and tuning and (tuning.mode != 'full' or 'tuning' in model):
        model.tuning = tuning.mode
    if tuning:
        _set_hook(cfg, tuning.mode)
    if tuning and tuning.mode == 'prompt':
        _keep_words(cfg)


def _set_hook(cfg: Config, mode: str) -> None:
    """Have the hook for this mode, and none that a saved config has for another."""
    given = list(cfg.get('custom_hooks') or ())
    hooks = [
        hook
        for hook in given
        if not (isinstance(hook, Mapping) and hook.get('type') == _HOOK)
    ]
    if mode != 'full':
        hooks.append(dict(type=_HOOK, tuning=mode))
    if hooks != given:
        cfg.custom_hooks = hooks


def _keep_words(cfg: Config) -> None:
    """Leave out what draws the words of a prompt anew for each picture."""
    for dataset in iter_leaves(
        (cfg.get('train_dataloader') or {}).get('dataset') or {}
    ):
        steps = dataset.get('pipeline') or ()
        kept = [step for step in steps if step.get('type') not in _WORD_DRAWING]
        if len(kept) < len(steps):
            dataset.pipeline = kept
            print_log(
                "tuning='prompt' keeps all words in their order: the pipeline's "
                f'{_WORD_DRAWING[0]} is left out',
                'current',
            )


def _read(tuning: Any) -> tuple[str, dict[str, float | None]]:
    """The mode and its rates, those of the original where none are given."""
    given = {'mode': tuning} if isinstance(tuning, str) else tuning
    if not isinstance(given, Mapping) or not set(given) <= set(_KEYS):
        raise ConfigError(
            f'tuning={tuning!r} must be the name of a mode or '
            'dict(mode=..., lr=..., weight_decay=...)'
        )
    mode = check_tuning(given.get('mode'))
    rates: dict[str, float | None] = dict(_RATES.get(mode, {}))
    for key in ('lr', 'weight_decay'):
        if key not in given:
            continue
        value = given[key]
        if value is not None and not (isinstance(value, int | float) and value >= 0):
            raise ConfigError(f'tuning.{key}={value!r} must be a number of 0 or more')
        rates[key] = value
    if mode == 'full' and any(rate is not None for rate in rates.values()):
        raise ConfigError(
            "tuning: mode='full' has no rates of its own; set them in optim_wrapper"
        )
    return mode, rates
