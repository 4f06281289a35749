"""What the flags of the tools do to a config."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from glip.checkpoints.latest import latest_checkpoint
from glip.config.files import read_config
from glip.config.launch import work_dir_of
from glip.config.names import config_of
from glip.config.options import warn_of_unread
from glip.config.tuning import settle_tuning
from glip.errors import ConfigError
from glip.runtime.precision import amp_dtype


def prepare_config(
    path: str | os.PathLike[str],
    *,
    work_dir: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    launcher: str = 'none',
    tuning: str | None = None,
    verbose: bool = False,
) -> Config:
    """Read a config and put in what the command line says.

    Args:
        path: The config file, or a zoo name, which stands for that of its model.
        work_dir: Goes before the config's own.
        cfg_options: ``{'a.b': value}`` to merge into it.
        launcher: What started the processes: none, pytorch, slurm or mpi.
        tuning: Goes before the config's own, see
            :func:`glip.config.tuning.settle_tuning`.
        verbose: Show on the console all that goes into the log file.

    Raises:
        ConfigError: The file is missing or no config, there is no such name, mode of
            tuning, or an option does not fit.
    """
    cfg = read_config(config_of(path))
    cfg.launcher = launcher
    if tuning is not None:
        cfg.tuning = tuning
    # First what tuning stands for, as options may change that.
    options = dict(cfg_options or {})
    warn_of_unread(cfg, options)
    of_tuning = {k: options.pop(k) for k in [*options] if k.split('.')[0] == 'tuning'}
    if isinstance(cfg.get('tuning'), str) and 'tuning' not in of_tuning:
        cfg.tuning = dict(mode=cfg.tuning)
    try:
        cfg.merge_from_dict(of_tuning)
        settle_tuning(cfg)
        cfg.merge_from_dict(options)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ConfigError(f'--cfg-options do not fit {path}: {error}') from error
    if work_dir is not None:
        cfg.work_dir = work_dir
    if verbose:
        cfg.verbose = True
    return cfg


def config_of_run(args: argparse.Namespace) -> Config:
    """:func:`prepare_config` of what the command line of a run says.

    Args:
        args: Has ``config``, what :func:`glip.config.arguments.add_launcher` has added,
            and any of the other keyword arguments of :func:`prepare_config`.

    Raises:
        ConfigError: As there.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    names = ('work_dir', 'cfg_options', 'launcher', 'tuning', 'verbose')
    options = {name: getattr(args, name) for name in names if name in args}
    return prepare_config(args.config, **options)


def set_training_options(
    cfg: Config,
    *,
    amp: bool | str = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
    cache_features: bool | str | None = None,
) -> None:
    """Put the flags of ``tools/train.py`` into a config.

    Args:
        cfg: Changed in place.
        amp: Train with automatic mixed precision: ``'bf16'``, ``'fp16'``, or
            ``'auto'`` (or True) for what the processor is good at.
        auto_scale_lr: Scale the learning rate with the batch size.
        resume: A checkpoint to go on from, or ``'auto'`` for the last one of the
            work directory.
        cache_features: See
            :func:`glip.config.cached_features.apply_cached_features`.

    Raises:
        ConfigError: The machine or the config lacks what a flag needs.
    """
    if cache_features:
        cfg.cache_features = cache_features
    if amp:
        if not cfg.get('optim_wrapper'):
            raise ConfigError('--amp needs an optim_wrapper in the config')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.dtype = amp_dtype('auto' if amp is True else amp)
    if auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ConfigError(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the '
                'config: the batch size that its learning rate is meant for'
            )
        cfg.auto_scale_lr.enable = True
    if resume == 'auto':
        # A run stopped before its first checkpoint starts again from load_from.
        latest = latest_checkpoint(work_dir_of(cfg))
        cfg.resume = latest is not None
        if latest is None:
            print_log(
                f'nothing to resume in {work_dir_of(cfg)}: starting anew', 'current'
            )
        else:
            cfg.load_from = str(latest)
    elif resume is not None:
        cfg.resume = True
        cfg.load_from = resume


def set_test_options(
    cfg: Config,
    checkpoint: str,
    *,
    show: bool = False,
    show_dir: str | None = None,
    wait_time: float = 2.0,
    tta: bool = False,
    resume: bool = False,
    batch_size: int | None = None,
    amp: bool = False,
    compile: str | None = None,
    prompt: str | None = None,
) -> None:
    """Put the flags of ``tools/test.py`` into a config.

    Args:
        cfg: Changed in place.
        checkpoint: Path of any layout, address, or zoo name.
        show: Show every picture in a window.
        show_dir: Save every picture here, below ``work_dir/<time>/``.
        wait_time: Seconds that a window stays.
        tta: Test-time augmentation, see :func:`glip.config.tta.apply_tta`.
        resume: Go on with an evaluation in the same work directory that was stopped.
        batch_size: Pictures that a process loads together; results do not depend
            on it.
        amp: Evaluate in half precision.
        compile: Mode of ``torch.compile`` to evaluate in.
        prompt: What a tuning mode has trained, see
            :func:`glip.checkpoints.load_tuned`.

    Raises:
        ConfigError: The config lacks what a flag needs, or a value has no meaning.
    """
    cfg.load_from = checkpoint
    cfg.resume = False
    if show or show_dir:
        hook = cfg.get('default_hooks', {}).get('visualization')
        if not hook:
            raise ConfigError(
                '--show and --show-dir need default_hooks.visualization=dict('
                "type='DetVisualizationHook') in the config"
            )
        hook.draw = True
        hook.show = show
        hook.wait_time = wait_time
        if show_dir:
            hook.test_out_dir = show_dir
    if tta:
        cfg.tta = True
    options = dict(
        resume=resume,
        amp=amp,
        compile=compile and dict(mode=compile),
        prompt=prompt,
    )
    options = {name: value for name, value in options.items() if value}
    if options:
        loop = cfg.get('test_cfg') or {}
        if loop.get('type', 'TestLoop') not in ('TestLoop', 'glip.TestLoop'):
            raise ConfigError(
                f'--{next(iter(options))} needs test_cfg=dict(type="TestLoop"), not '
                f'{loop["type"]!r}'
            )
        cfg.test_cfg = dict(loop, **options)
    if batch_size is not None:
        if batch_size < 1:
            raise ConfigError(f'--batch-size must be 1 or more, not {batch_size}')
        if not cfg.get('test_dataloader'):
            raise ConfigError('--batch-size needs a test_dataloader in the config')
        cfg.test_dataloader.batch_size = batch_size
