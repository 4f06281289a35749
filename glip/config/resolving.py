"""From what a user writes to what is built."""

from __future__ import annotations

import copy

from mmengine.config import Config

from glip.config.cached_features import apply_cached_features
from glip.config.checkpointing import apply_use_checkpoint
from glip.config.checks import check_counts, check_kinds, check_launcher
from glip.config.custom_data import apply_custom_data
from glip.config.epochs import apply_epochs
from glip.config.launch import apply_launch_defaults
from glip.config.loggers import apply_loggers
from glip.config.tta import apply_tta
from glip.config.tuning import apply_tuning
from glip.registry import leave_scope


def resolve(cfg: Config) -> Config:
    """Put everything that stands for something else in place.

    The flags of the tools come first (:mod:`glip.config.flags`), as keys of the config.

    Args:
        cfg: Not changed.

    Returns:
        The config to build.

    Raises:
        ConfigError: A key has no meaning, or needs what the config lacks.
        DatasetError: A folder of ``custom_data`` is not there, or holds no set.
    """
    cfg = copy.deepcopy(cfg)
    check_kinds(cfg)
    check_launcher(cfg)
    if cfg.get('default_scope') == 'glip':
        leave_scope(cfg)
    apply_custom_data(cfg)  # fills the loaders, whose pipelines TTA changes
    apply_epochs(cfg)
    check_counts(cfg)
    apply_use_checkpoint(cfg)
    apply_tuning(cfg)
    apply_cached_features(cfg)
    if cfg.pop('tta', False):
        apply_tta(cfg)  # wraps the model, whose parts are no longer seen then
    apply_loggers(cfg)
    apply_launch_defaults(cfg)
    return cfg
