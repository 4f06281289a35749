"""What a config must be before anything of it is used."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mmengine.config import Config

from glip.errors import ConfigError
from glip.runtime.values import check_count

_MAPPINGS = (
    *('model', 'optim_wrapper', 'train_cfg', 'val_cfg', 'test_cfg', 'env_cfg'),
    *('train_dataloader', 'val_dataloader', 'test_dataloader', 'default_hooks'),
    *('auto_scale_lr', 'randomness', 'custom_data', 'model_wrapper_cfg', 'visualizer'),
    *('log_processor',),
)
_COUNTS = ('max_epochs', 'max_iters', 'val_interval')  # of the training
# What each launcher sets for its processes.
_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_SIZE')
    + ('OMPI_COMM_WORLD_RANK',),
}
_STARTS = {
    'pytorch': 'torchrun --nproc-per-node=N tools/train.py ...',
    'slurm': 'tools/slurm_train.sh',
    'mpi': 'mpirun -n N python tools/train.py ...',
}


def check_kinds(cfg: Config) -> None:
    """Make sure that parts are mappings.

    Raises:
        ConfigError: One is not.
    """
    for key in _MAPPINGS:
        value = cfg.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f'{key} is {value!r:.80}, but must be a dict(...)')


def check_launcher(cfg: Config) -> None:
    """Make sure that the processes were started by the launcher that is named.

    Raises:
        ConfigError: They were not, or there is no such launcher.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none':
        return
    if not isinstance(launcher, str) or launcher not in _VARIABLES:
        known = ', '.join(('none', *_VARIABLES))
        raise ConfigError(f'launcher {launcher!r:.80} is not one of {known}')
    missing = [name for name in _VARIABLES[launcher] if name not in os.environ]
    if missing:
        raise ConfigError(
            f'--launcher {launcher}: {missing[0]} is not set in the environment, so no '
            f'{launcher} launcher started this process; start it by '
            f'{_STARTS[launcher]}, or leave --launcher out'
        )


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
    for name in _COUNTS:
        if name in (cfg.get('train_cfg') or {}):
            check_count(cfg.train_cfg[name], f'train_cfg.{name}')
