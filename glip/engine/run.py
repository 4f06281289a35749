"""From a config to a runner that trains or tests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from glip.config.checkpointing import apply_use_checkpoint
from glip.config.custom_data import apply_custom_data
from glip.config.flags import work_dir_of
from glip.config.loggers import apply_loggers
from glip.engine.hooks.broken_pictures import list_broken_pictures
from glip.engine.hooks.curves import draw_curves
from glip.engine.memory_errors import memory_errors_explained
from glip.errors import ConfigError, GLIPError
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator
from glip.registry import METRICS, RUNNERS
from glip.report.plots import PlotsMetric, plot_sets
from glip.runtime.allocator import keep_freed_memory
from glip.runtime.compiling import compile_errors_explained, compile_options

_UNKNOWN_ARGUMENT = re.compile(
    r"(?P<kind>\w+)\.__init__\(\) got an unexpected keyword argument '(?P<name>\w+)'"
)
# Default hooks that mmengine has without being told.
_HOOKS = (
    *('runtime_info', 'timer', 'sampler_seed'),
    *('logger', 'param_scheduler', 'checkpoint'),
)


def build_runner(cfg: Config) -> Runner:
    """Build what trains and tests a config.

    ``custom_data`` is put in place (:func:`glip.config.custom_data.apply_custom_data`),
    so are ``use_checkpoint``
    (:func:`glip.config.checkpointing.apply_use_checkpoint`) and ``loggers``
    (:func:`glip.config.loggers.apply_loggers`), and processes talk by gloo where there
    is no GPU. The runner is mmengine's, with ``train()``, ``val()`` and
    ``test()``; its type is ``cfg.runner_type``.

    Args:
        cfg: Changed in place. ``work_dir`` defaults to ``work_dirs/<config name>``.

    Raises:
        ConfigError: The config names what does not exist.
        DatasetError: Later, by ``train()`` or ``test()``: the data is not usable.
    """
    apply_custom_data(cfg)
    apply_use_checkpoint(cfg)
    apply_loggers(cfg)
    _drop_hooks(cfg)
    compile_options(cfg.get('compile'))  # said before the data is read
    cfg.setdefault('runner_type', 'GLIPRunner')
    cfg.work_dir = _writable(work_dir_of(cfg))
    _settle_backend(cfg)
    if not torch.cuda.is_available():
        keep_freed_memory()
    if cfg.runner_type == 'GLIPFlexibleRunner':
        raise ConfigError(
            "runner_type='GLIPFlexibleRunner' is no more: leave runner_type and "
            'strategy out; for FSDP set '
            "model_wrapper_cfg=dict(type='FullyShardedDataParallel')"
        )
    # Looked up here, not by the scope that an earlier run in this process left.
    runner = RUNNERS.get(cfg.runner_type)
    if runner is None:
        raise ConfigError(f'runner_type {cfg.runner_type!r} is not known')
    return _said_plainly(lambda: runner.from_cfg(cfg), cfg)


def run_training(cfg: Config) -> Runner:
    """Build the runner and train.

    Raises:
        ConfigError: The config names what does not exist, or has no training.
        DatasetError: The data is not usable.
        TrainingError: The loss is no number, or the memory does not suffice.
    """
    runner = build_runner(cfg)
    missing = [
        key
        for key in ('train_dataloader', 'train_cfg', 'optim_wrapper')
        if not cfg.get(key)
    ]
    if missing:
        raise ConfigError(
            f'{cfg.filename or "the config"} cannot train: it has no '
            f'{", ".join(missing)}'
        )
    try:
        with (
            memory_errors_explained(cfg, training=True),
            compile_errors_explained(cfg.get('compile')),
        ):
            _said_plainly(runner.train, cfg)
    except (GLIPError, KeyboardInterrupt):
        if runner.rank == 0:
            draw_curves(runner.work_dir)
            list_broken_pictures(runner)
        raise
    return runner


def run_test(
    cfg: Config,
    out: str | os.PathLike[str] | None = None,
    plots: str | os.PathLike[str] | None = None,
) -> dict[str, float]:
    """Build the runner and evaluate ``cfg.load_from``.

    Several data sets are listed in one table, which is also written to
    ``work_dir/<time>/sets.md``, ``sets.csv`` and ``sets.json``.

    Args:
        cfg: Changed in place.
        out: A .pkl file to write all predictions to.
        plots: A folder for plots of where the model is right and wrong (see
            :func:`glip.report.plots.write_plots`); with ``''`` it is
            ``work_dir/<time>/plots``.

    Returns:
        The results by name.

    Raises:
        ConfigError: The config names what does not exist, or has no test data.
        CheckpointError: The weights are missing, damaged, or of another model.
        DatasetError: The data is not usable.
        TrainingError: The memory does not suffice.
    """
    if out is not None and not str(out).endswith(('.pkl', '.pickle')):
        raise ConfigError(f'--out {out}: the name must end with .pkl or .pickle')
    runner = build_runner(cfg)
    if not cfg.get('test_dataloader'):
        raise ConfigError(
            f'{cfg.filename or "the config"} has no test_dataloader to evaluate'
        )
    evaluator = _said_plainly(lambda: runner.test_evaluator, cfg)
    if out is not None:
        evaluator.metrics.append(
            METRICS.build({'type': 'DumpDetResults', 'out_file_path': str(out)})
        )
    if plots is not None:
        folder = plots or Path(runner.work_dir, runner.timestamp, 'plots')
        names = getattr(evaluator, 'dataset_prefixes', None)
        dataset = _said_plainly(lambda: runner.test_dataloader, cfg).dataset
        evaluator.metrics.append(PlotsMetric(folder, dataset, names=names))
    if isinstance(evaluator, MultiDatasetsEvaluator):
        evaluator.out_dir = Path(runner.work_dir, runner.timestamp)
        evaluator.about = {
            'config': str(cfg.filename or ''),
            'checkpoint': str(cfg.get('load_from') or ''),
        }
    with memory_errors_explained(cfg, training=False):
        values = _said_plainly(runner.test, cfg)
    table = getattr(evaluator, 'table', None)
    if plots is not None and table is not None:
        plot_sets(table, folder)
    return values


def _writable(folder: str) -> str:
    """Make the work directory, or say why it cannot be used."""
    try:
        os.makedirs(folder, exist_ok=True)
        reason = None if os.access(folder, os.W_OK) else 'no permission to write'
    except OSError as error:
        reason = error.strerror
    if reason is not None:
        raise ConfigError(
            f'work directory {folder}: {reason}; name another one with --work-dir'
        )
    return folder


def _drop_hooks(cfg: Config) -> None:
    """Let None leave out any default hook; mmengine only knows it of its own."""
    hooks = cfg.get('default_hooks') or {}
    for name in [n for n, hook in hooks.items() if hook is None and n not in _HOOKS]:
        hooks.pop(name)


def _settle_backend(cfg: Config) -> None:
    """Without GPUs let processes talk by gloo; mmengine's own start needs CUDA."""
    if torch.cuda.is_available():
        return
    env_cfg = cfg.setdefault('env_cfg', {})
    env_cfg['dist_cfg'] = dict(env_cfg.get('dist_cfg') or {}, backend='gloo')
    if cfg.get('launcher') == 'pytorch' and not torch.distributed.is_initialized():
        torch.distributed.init_process_group('gloo')
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


def _said_plainly(action: Callable[[], Any], cfg: Config) -> Any:
    """Do it; unknown types and arguments are the config's mistake."""
    try:
        return action()
    except KeyError as error:
        message = str(error.args[0]) if error.args else ''
        if 'registry' not in message:
            raise
        name = message.split(' is not in ')[0]
        print_log(message, logger='current')
        raise ConfigError(
            f'{cfg.filename or "the config"} names the type {name!r}, which is not '
            'known; check the spelling, or import it with custom_imports'
        ) from error
    except TypeError as error:
        unknown = _UNKNOWN_ARGUMENT.fullmatch(str(error))
        if unknown is None:
            raise
        raise ConfigError(
            f'{cfg.filename or "the config"}: {unknown["kind"]} takes no argument '
            f'{unknown["name"]!r}; leave it out'
        ) from error
