"""Numbers of a config that must count something."""

from __future__ import annotations

from mmengine.config import Config

from glip.runtime.values import check_count

_OF_TRAINING = ('max_epochs', 'max_iters', 'val_interval')


def check_counts(cfg: Config) -> None:
    """Refuse what would train, or show, nothing.

    Args:
        cfg: With its data loaders.

    Raises:
        ConfigError: A length of training, an interval or a batch size is below 1.
    """
    for stage in ('train', 'val', 'test'):
        loader = cfg.get(f'{stage}_dataloader') or {}
        if 'batch_size' in loader:
            check_count(loader['batch_size'], f'{stage}_dataloader.batch_size')
    for name in _OF_TRAINING:
        if name in (cfg.get('train_cfg') or {}):
            check_count(cfg.train_cfg[name], f'train_cfg.{name}')
