"""From a config to a runner that trains or tests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from glip.apis.augment import apply_tta
from glip.apis.loading import config_of, read_config
from glip.apis.memory import apply_use_checkpoint, memory_errors_explained
from glip.compat.allocator import keep_freed_memory
from glip.datasets.custom import apply_custom_data
from glip.engine.compiling import compile_errors_explained, compile_options
from glip.engine.hooks.broken_pictures import list_broken_pictures
from glip.engine.hooks.curves import draw_curves
from glip.engine.loggers import apply_loggers
from glip.engine.precision import amp_dtype
from glip.engine.runner import latest_checkpoint
from glip.errors import ConfigError, GLIPError
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator
from glip.evaluation.plots import PlotsMetric, plot_sets
from glip.registry import METRICS, RUNNERS

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

    ``custom_data`` is put in place (:func:`glip.datasets.custom.apply_custom_data`),
    so are ``use_checkpoint`` (:func:`glip.apis.memory.apply_use_checkpoint`) and
    ``loggers`` (:func:`glip.engine.loggers.apply_loggers`), and processes talk by gloo
    where there is no GPU. The runner is mmengine's, with ``train()``, ``val()`` and
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
    cfg.work_dir = _writable(_work_dir(cfg))
    _settle_backend(cfg)
    if not torch.cuda.is_available():
        keep_freed_memory()
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
            :func:`glip.evaluation.plots.write_plots`); with ``''`` it is
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


def prepare_config(
    path: str | os.PathLike[str],
    *,
    work_dir: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    launcher: str = 'none',
) -> Config:
    """Read a config and put in what the command line says.

    Args:
        path: The config file, or a zoo name, which stands for that of its model.
        work_dir: Goes before the config's own.
        cfg_options: ``{'a.b': value}`` to merge into it.
        launcher: What started the processes: none, pytorch, slurm or mpi.

    Raises:
        ConfigError: The file is missing or no config, there is no such name, or an
            option does not fit.
    """
    cfg = read_config(config_of(path))
    cfg.launcher = launcher
    if cfg_options:
        try:
            cfg.merge_from_dict(dict(cfg_options))
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ConfigError(f'--cfg-options do not fit {path}: {error}') from error
    if work_dir is not None:
        cfg.work_dir = work_dir
    return cfg


def set_training_options(
    cfg: Config,
    *,
    amp: bool | str = False,
    auto_scale_lr: bool = False,
    resume: str | None = None,
) -> None:
    """Put the flags of ``tools/train.py`` into a config.

    Args:
        cfg: Changed in place.
        amp: Train with automatic mixed precision: ``'bf16'``, ``'fp16'``, or
            ``'auto'`` (or True) for what the processor is good at.
        auto_scale_lr: Scale the learning rate with the batch size.
        resume: A checkpoint to go on from, or ``'auto'`` for the last one of the
            work directory.

    Raises:
        ConfigError: The machine or the config lacks what a flag needs.
    """
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
        latest = latest_checkpoint(_work_dir(cfg))
        cfg.resume = latest is not None
        if latest is None:
            print_log(
                f'nothing to resume in {_work_dir(cfg)}: starting anew', 'current'
            )
        else:
            cfg.load_from = str(latest)
    elif resume is not None:
        cfg.resume = True
        cfg.load_from = resume


def _work_dir(cfg: Config) -> str:
    """Folder of logs and checkpoints, by default named after the config."""
    if cfg.get('work_dir') is not None:
        return cfg.work_dir
    return str(Path('work_dirs', Path(cfg.filename or 'glip').stem))


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
) -> None:
    """Put the flags of ``tools/test.py`` into a config.

    Args:
        cfg: Changed in place.
        checkpoint: Path of any layout, address, or zoo name.
        show: Show every picture in a window.
        show_dir: Save every picture here, below ``work_dir/<time>/``.
        wait_time: Seconds that a window stays.
        tta: Test-time augmentation, see :func:`glip.apis.augment.apply_tta`.
        resume: Go on with an evaluation in the same work directory that was stopped.
        batch_size: Pictures that a process loads together; results do not depend
            on it.
        amp: Evaluate in half precision.
        compile: Mode of ``torch.compile`` to evaluate in.

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
    if tta or batch_size is not None:
        apply_custom_data(cfg)  # which fills in the loader
    if tta:
        apply_tta(cfg)
    ways = dict(resume=resume, amp=amp, compile=compile and dict(mode=compile))
    ways = {name: value for name, value in ways.items() if value}
    if ways:
        loop = cfg.get('test_cfg') or {}
        if loop.get('type', 'TestLoop') not in ('TestLoop', 'glip.TestLoop'):
            raise ConfigError(
                f'--{next(iter(ways))} needs test_cfg=dict(type="TestLoop"), not '
                f'{loop["type"]!r}'
            )
        cfg.test_cfg = dict(loop, **ways)
    if batch_size is not None:
        if batch_size < 1:
            raise ConfigError(f'--batch-size must be 1 or more, not {batch_size}')
        if not cfg.get('test_dataloader'):
            raise ConfigError('--batch-size needs a test_dataloader in the config')
        cfg.test_dataloader.batch_size = batch_size


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
