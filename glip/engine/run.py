"""From a config to a runner that trains or tests."""

from __future__ import annotations

import atexit
import errno
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import init_dist
from mmengine.runner import Runner

from glip.config.building import build_errors_explained, require_known
from glip.config.resolving import resolve
from glip.engine.hooks.broken_pictures import list_broken_pictures
from glip.engine.memory_errors import memory_errors_explained
from glip.errors import ConfigError, GLIPError, TrainingError
from glip.evaluation.multi_datasets import MultiDatasetsEvaluator
from glip.registry import METRICS, RUNNERS
from glip.report.log_figures import draw_curves
from glip.report.plots import PlotsMetric, plot_sets
from glip.runtime.allocator import keep_freed_memory
from glip.runtime.compiling import compile_errors_explained
from glip.runtime.lock import only_run
from glip.runtime.writing import check_place, make_folder, writing_to

_DISK_ERRORS = frozenset(
    getattr(errno, name)
    for name in ('ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EFBIG', 'EISDIR')
    + ('ENOTDIR', 'ENAMETOOLONG')
    if hasattr(errno, name)
)


def build_runner(cfg: Config) -> Runner:
    """Build what trains and tests a config.

    The config is resolved (:func:`glip.config.resolve`). The runner is mmengine's, with
    ``train()``, ``val()`` and ``test()``; its type is ``cfg.runner_type``.

    Args:
        cfg: Not changed. ``work_dir`` defaults to ``work_dirs/<config name>``.

    Raises:
        ConfigError: The config names what does not exist.
        DatasetError: Later, by ``train()`` or ``test()``: the data is not usable.
    """
    with build_errors_explained(cfg):
        cfg = resolve(cfg)
    require_writable(cfg.work_dir)
    if not torch.cuda.is_available():
        keep_freed_memory()
        start_processes(cfg)
    # Looked up here, not by the scope that an earlier run in this process left.
    require_known(RUNNERS, cfg.runner_type, cfg)
    with build_errors_explained(cfg):
        return RUNNERS.get(cfg.runner_type).from_cfg(cfg)


def start_processes(cfg: Config) -> None:
    """Let the processes of ``cfg.launcher`` talk to each other, once.

    Work of several runs starts them itself; otherwise the runner does so.
    """
    launcher = cfg.get('launcher') or 'none'
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if torch.cuda.is_available():
        init_dist(launcher, **(cfg.get('env_cfg') or {}).get('dist_cfg', {}))
    elif launcher == 'pytorch':  # mmengine's own start needs CUDA
        torch.distributed.init_process_group('gloo')
        atexit.register(leave_processes)


def leave_processes() -> None:
    """End the talk of processes, before the interpreter ends.

    Wrappers of models that outlive it abort the process, once in ten times where there
    were several trainings.
    """
    gc.collect()
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def run_training(cfg: Config) -> Runner:
    """Build the runner and train.

    Args:
        cfg: Not changed.

    Raises:
        ConfigError: The config names what does not exist, or has no training.
        DatasetError: The data is not usable.
        TrainingError: The loss is no number, or the memory does not suffice.
    """
    runner = build_runner(cfg)
    cfg = runner.cfg
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
            _full_disk_explained(runner.work_dir),
            only_run(runner.work_dir, 'training'),
        ):
            runner.train()
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
        cfg: Not changed.
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
    if out is not None:
        check_place(out)
    if plots:
        make_folder(plots)
    runner = build_runner(cfg)
    cfg = runner.cfg
    if not cfg.get('test_dataloader'):
        raise ConfigError(
            f'{cfg.filename or "the config"} has no test_dataloader to evaluate'
        )
    evaluator = runner.test_evaluator
    if out is not None:
        evaluator.metrics.append(
            METRICS.build({'type': 'PredictionFile', 'out_file_path': str(out)})
        )
    if plots is not None:
        folder = plots or Path(runner.work_dir, runner.timestamp, 'plots')
        names = getattr(evaluator, 'dataset_prefixes', None)
        dataset = runner.test_dataloader.dataset
        evaluator.metrics.append(PlotsMetric(folder, dataset, names=names))
    if isinstance(evaluator, MultiDatasetsEvaluator):
        evaluator.out_dir = Path(runner.work_dir, runner.timestamp)
        evaluator.about = {
            'config': str(cfg.filename or ''),
            'checkpoint': str(cfg.get('load_from') or ''),
        }
    with memory_errors_explained(cfg, training=False):
        values = runner.test()
    table = getattr(evaluator, 'table', None)
    if plots is not None and table is not None:
        plot_sets(table, folder)
    return values


@contextmanager
def _full_disk_explained(work_dir: str) -> Iterator[None]:
    """Turn a disk that takes no more into one line.

    Raises:
        TrainingError: A file cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        raise TrainingError(
            f'{error.filename or work_dir} cannot be written ({error.strerror}); what '
            'was written before is whole: make room, and go on with --resume'
        ) from error


def require_writable(folder: str) -> None:
    """Make the work directory, or report why it cannot be used."""
    pointer = make_folder(folder) / 'last_checkpoint'  # which mmengine writes into
    with writing_to(folder):
        if pointer.is_symlink():
            pointer.unlink(missing_ok=True)
    check_place(pointer)
