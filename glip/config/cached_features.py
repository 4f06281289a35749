"""Frozen features computed once: one key of the config."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip.config.launch import work_dir_of
from glip.errors import ConfigError
from glip.runtime.leaves import iter_leaves

_MAX_GB = 50.0
# Random transforms that draw words, not pixels.
_OF_WORDS = ('RandomSamplingNegPos',)


def apply_cached_features(cfg: Config) -> None:
    """Let ``cache_features`` name a folder, and take augmentation out of the training.

    ``cache_features`` is True for ``features`` in the work directory, a folder, or
    ``dict(folder=..., max_gb=...)``. Pictures of the training are then prepared as
    those of the evaluation: one that looks different each time is computed each time.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: It has no meaning, or no tuning mode freezes the backbone.
    """
    wanted = cfg.get('cache_features')
    if wanted is None or wanted is False:
        cfg.pop('cache_features', None)
        return
    options = dict(wanted) if isinstance(wanted, Mapping) else dict(folder=wanted)
    folder, max_gb = options.pop('folder', True), options.pop('max_gb', _MAX_GB)
    if folder is True:
        folder = str(Path(work_dir_of(cfg), 'features'))
    if (
        options
        or not isinstance(folder, str | os.PathLike)
        or not isinstance(max_gb, int | float)
        or max_gb <= 0
    ):
        raise ConfigError(
            f'cache_features={wanted!r} must be True, a folder, or '
            'dict(folder=..., max_gb=...)'
        )
    mode = (cfg.get('tuning') or {}).get('mode', 'full')
    if mode == 'full':
        raise ConfigError(
            'cache_features needs frozen parts: tuning="linear_probe", "prompt" or '
            '"language" (--tuning)'
        )
    if (cfg.get('model_wrapper_cfg') or {}).get('type') == 'FullyShardedDataParallel':
        raise ConfigError('cache_features: take DDP, not FullyShardedDataParallel')
    cfg.cache_features = dict(folder=os.fspath(folder), max_gb=float(max_gb))
    _drop_augmentation(cfg)


def _drop_augmentation(cfg: Config) -> None:
    """Resize pictures of the training as those of the evaluation, and no more."""
    loader = cfg.get('val_dataloader') or cfg.get('test_dataloader') or {}
    evaluated = next(iter_leaves(loader.get('dataset') or {}))
    resizing = [s for s in evaluated.get('pipeline') or () if 'Resize' in _kind(s)]
    dropped: set[str] = set()
    for dataset in iter_leaves(
        (cfg.get('train_dataloader') or {}).get('dataset') or {}
    ):
        steps = dataset.get('pipeline') or ()
        if any(_is_random(step) for step in steps):
            dropped |= {_kind(step) for step in steps if _is_random(step)}
            dataset.pipeline = _without_augmentation(steps, resizing)
    if dropped:
        print_log(
            f'cache_features: {", ".join(sorted(dropped))} is left out of the training',
            'current',
        )


def _without_augmentation(steps: Sequence[Any], resizing: Sequence[Any]) -> list[Any]:
    kept: list[Any] = []
    for step in steps:
        if not _is_random(step):
            kept.append(step)
        elif 'Resize' in _kind(step):
            kept += [each for each in resizing if each not in kept]
    return kept


def _kind(step: Any) -> str:
    return str(step.get('type', '')).rpartition('.')[2]


def _is_random(step: Any) -> bool:
    return _kind(step).startswith('Random') and _kind(step) not in _OF_WORDS
