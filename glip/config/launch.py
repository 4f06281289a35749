"""What a run needs that a config may leave out."""

from __future__ import annotations

from pathlib import Path

import torch
from mmengine.config import Config

from glip.errors import ConfigError
from glip.runtime.compiling import compile_options

# Default hooks that mmengine has without being told.
_MMENGINE_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed'),
    *('logger', 'param_scheduler', 'checkpoint'),
)


def work_dir_of(cfg: Config) -> str:
    """Folder of logs and checkpoints, by default named after the config."""
    if cfg.get('work_dir') is not None:
        return cfg.work_dir
    return str(Path('work_dirs', Path(cfg.filename or 'glip').stem))


def apply_launch_defaults(cfg: Config) -> None:
    """Fill in runner, work directory, hooks and how processes talk.

    Args:
        cfg: Changed in place.

    Raises:
        ConfigError: ``compile`` has no such option, or the runner is one of old.
    """
    compile_options(cfg.get('compile'))  # reported before the data is read
    cfg.setdefault('runner_type', 'glip.GLIPRunner')
    if cfg.runner_type == 'GLIPFlexibleRunner':
        raise ConfigError(
            "runner_type='GLIPFlexibleRunner' is no more: leave runner_type and "
            'strategy out; for FSDP set '
            "model_wrapper_cfg=dict(type='FullyShardedDataParallel')"
        )
    cfg.work_dir = work_dir_of(cfg)
    _drop_hooks(cfg)
    if not torch.cuda.is_available():
        _talk_by_gloo(cfg)


def _drop_hooks(cfg: Config) -> None:
    """Let None leave out any default hook; mmengine only knows it of its own."""
    hooks = cfg.get('default_hooks') or {}
    for name, hook in list(hooks.items()):
        if hook is None and name not in _MMENGINE_HOOKS:
            hooks.pop(name)


def _talk_by_gloo(cfg: Config) -> None:
    """Let processes without GPUs talk by gloo."""
    env_cfg = cfg.setdefault('env_cfg', {})
    env_cfg['dist_cfg'] = dict(env_cfg.get('dist_cfg') or {}, backend='gloo')
    # Spelled out, or mmengine would name the GPU of each process.
    cfg.setdefault(
        'model_wrapper_cfg',
        dict(
            type='MMDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=cfg.get('find_unused_parameters', False),
        ),
    )
