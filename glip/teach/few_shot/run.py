"""Few-shot runs: every task once, whatever interrupts them."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger, print_log

from glip.checkpoints.latest import latest_checkpoint
from glip.engine.run import run_test, run_training
from glip.engine.test_loop import SPOOL_FOLDER
from glip.errors import (
    CheckpointError,
    ConfigError,
    DatasetError,
    GLIPError,
    one_line,
)
from glip.report.log_figures import draw_curves
from glip.runtime.lock import only_run
from glip.teach.few_shot.figure import draw_efficiency
from glip.teach.few_shot.pictures import TaskPictures
from glip.teach.few_shot.results import RESULT, FewShotTable, Result
from glip.teach.few_shot.sets import FewShotSet
from glip.teach.few_shot.settings import check_settings
from glip.teach.few_shot.tasks import (
    MONITOR,
    Shots,
    Task,
    list_tasks,
    test_config,
    training_config,
)


class FewShotRun:
    """All tasks of a command, and their table.

    Every task has a folder ``<set>/<tuning>/<shots>_shot_seed<seed>`` with its log, its
    best weights and, once it is done, ``result.json``. A task that is done is not run
    again; one that was interrupted goes on from its last epoch.

    Args:
        cfg: Model, pipelines, optimiser and evaluator.
        weights: Where every training starts.
        work_dir: Folder of tasks and table.
        sets: What is learnt.
        max_epochs: Epochs at most, instead of those of the original.
        val_shots: Validate on this many pictures of each class, drawn once for all
            tasks, in place of the whole split.
        keep_weights: Keep the best weights of each task.

    Raises:
        ConfigError: The folder holds runs of other settings, or a number is too small.
        DatasetError: A set cannot be used.
    """

    def __init__(
        self,
        cfg: Config,
        weights: str,
        work_dir: str | os.PathLike[str],
        sets: Sequence[FewShotSet],
        *,
        max_epochs: int | None = None,
        val_shots: int | None = None,
        keep_weights: bool = True,
    ) -> None:
        for flag, value in (('max-epochs', max_epochs), ('val-shots', val_shots)):
            if value is not None and value < 1:
                raise ConfigError(f'--{flag} must be 1 or more, not {value}')
        self.cfg, self.weights = cfg, weights
        self.work_dir = Path(work_dir)
        self.max_epochs, self.keep_weights = max_epochs, keep_weights
        self.pictures = TaskPictures(cfg, self.work_dir, val_shots)
        self.sets = [self.pictures.with_classes(entry) for entry in sets]
        self._annotations = {e.name: e.fingerprint() for e in self.sets}
        self.about = check_settings(self.work_dir, cfg, weights, val_shots=val_shots)

    def run(
        self,
        shots: Sequence[Shots],
        tunings: Sequence[str],
        seeds: Sequence[int],
        notes: Sequence[str] = (),
    ) -> FewShotTable:
        """Do what is not done yet.

        Args:
            shots: Pictures of each class, 0 for none, ``'all'``.
            tunings: What is trained.
            seeds: Of draws and trainings.
            notes: Lines below the table.

        Returns:
            The table of all tasks done in the work directory, which is also written
            there after each.

        Raises:
            ConfigError: The config cannot be used, or another run is going on in the
                work directory.
            CheckpointError: The weights cannot be used.
            DatasetError: Annotations changed since a task was done. Errors that concern
                one task alone are noted below the table.
        """
        if negative := [seed for seed in seeds if seed < 0]:
            raise ConfigError(f'--seeds must be 0 or more, not {negative[0]}')
        tasks = list_tasks(self.sets, shots, tunings, seeds)
        notes = list(notes)
        with only_run(self.work_dir, 'few-shot run'):
            todo = [task for task in tasks if self._result(task) is None]
            before = len(tasks) - len(todo)
            print_log(f'{len(tasks)} tasks, {before} of them done before')
            begin = time.monotonic()
            for number, task in enumerate(todo, start=1):
                print_log(f'[{number}/{len(todo)}] {task.label}')
                try:
                    result = self._run(task)
                except (ConfigError, CheckpointError):
                    raise  # would be the same for all
                except GLIPError as error:
                    notes.append(f'{task.label} failed: {one_line(error)}')
                    print_log(f'  failed: {one_line(error)}')
                    continue
                passed = time.monotonic() - begin
                print_log(f'  {_summary(result)}; {_eta(passed, number, len(todo))}')
                self.table(notes).write(self.work_dir)
            table = self.table(notes)
            if table.results:
                table.write(self.work_dir)
                draw_efficiency(table, self.work_dir / 'few_shot.png')
        return table

    def table(self, notes: Sequence[str] = ()) -> FewShotTable:
        """All that is done in the work directory, sets of this run first."""
        files = sorted(self.work_dir.glob(f'*/**/{RESULT}'))
        results = [r for file in files if (r := Result.read(file.parent)) is not None]
        order = {entry.name: number for number, entry in enumerate(self.sets)}
        results.sort(key=lambda r: order.get(r.set, len(order)))
        return FewShotTable(tuple(results), self.about, tuple(notes))

    def _result(self, task: Task) -> Result | None:
        """Result of a task; None until it is done."""
        result = Result.read(self.work_dir / task.folder)
        if result and result.annotations != self._annotations[task.data.name]:
            raise DatasetError(
                f'annotations of {task.data.name} changed since {task.label} was done; '
                f'name another --work-dir, or delete {self.work_dir / task.data.name}'
            )
        return result

    def _run(self, task: Task) -> Result:
        """Do a task in its folder."""
        folder = self.work_dir / task.folder
        begin = time.monotonic()
        if task.shots == 0:
            cfg = test_config(self.cfg, task)
            cfg.load_from = self.weights
            with _in_folder(cfg, folder, task):
                values: Mapping[str, float] = run_test(cfg)
            training: dict[str, Any] = {}
        else:
            values, training = self._train(task, folder)
        shutil.rmtree(folder / SPOOL_FOLDER, ignore_errors=True)
        count = len(self.pictures.read(task.data.tested).images)
        tested = f'test split, {count} pictures'
        if task.data.test is None:
            tested = f'validation split, {count} pictures: there is no test split'
        result = Result(
            set=task.data.name,
            shots=task.shots,
            tuning=task.tuning,
            seed=task.seed,
            AP=values[MONITOR],
            AP50=values[f'{MONITOR}_50'],
            tested=tested,
            annotations=self._annotations[task.data.name],
            seconds=time.monotonic() - begin,
            **training,
        )
        result.write(folder)
        self._keep_only(folder, result.weights)
        return result

    def _keep_only(self, folder: Path, weights: str | None) -> None:
        """Of all checkpoints leave that of the best epoch alone, or none."""
        kept = self.work_dir / weights if weights else None
        for pattern in ('*.pth', '*.safetensors', 'last_checkpoint'):
            for path in folder.glob(pattern):
                if path != kept:
                    path.unlink()

    def _train(
        self, task: Task, folder: Path
    ) -> tuple[Mapping[str, float], dict[str, Any]]:
        """Train, and test the best epoch; results, and facts of the training."""
        learned = self.pictures.learned(task)
        for remark in learned.remarks:
            print_log(f'  {remark}')
        validated = self.pictures.validated(task)
        cfg = training_config(
            self.cfg, task, learned.data, validated, max_epochs=self.max_epochs
        )
        latest = latest_checkpoint(folder)
        cfg.resume = latest is not None
        cfg.load_from = str(latest or self.weights)
        with _in_folder(cfg, folder, task):
            runner = run_training(cfg)
            history = runner.message_hub.runtime_info
            best = Path(history['best_ckpt'])
            training = {
                'pictures': learned.pictures,
                'short': dict(learned.short),
                'val_AP': float(history['best_score']),
                'epoch': int(best.stem.rpartition('_')[2]),
                'epochs': runner.epoch,
                'max_epochs': cfg.train_cfg.max_epochs,
            }
            if self.keep_weights:
                tuned = folder / f'{task.tuning}.safetensors'
                kept = tuned if tuned.is_file() else best
                training['weights'] = os.path.relpath(kept, self.work_dir)
            runner.load_checkpoint(str(best))
            values = runner.test()
            draw_curves(folder)
            del runner, history
        return values, training


@contextlib.contextmanager
def _in_folder(cfg: Config, folder: Path, task: Task) -> Iterator[None]:
    """Run something with logs in its folder alone, and leave nothing open behind."""
    cfg.work_dir = str(folder)
    # A name of its own, by which mmengine keeps loggers and histories.
    cfg.experiment_name = task.folder.replace(os.sep, '_')
    before = {kind: set(kind._instance_dict) for kind in (MMLogger, MessageHub)}
    try:
        with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        for kind, names in before.items():
            # All of them, as one that was asked for here writes to nowhere.
            for name in kind._instance_dict.keys() - names:
                instance = kind._instance_dict.pop(name)
                for handler in getattr(instance, 'handlers', ()):
                    handler.close()
        gc.collect()


def _summary(result: Result) -> str:
    best = ''
    if result.epoch:
        of = f'epoch {result.epoch} of {result.epochs}'
        best = f' ({of}, {result.pictures} pictures)'
    return f'AP {100 * result.AP:.1f}{best}, {result.seconds:.0f} s'


def _eta(passed: float, done: int, total: int) -> str:
    minutes = passed / done * (total - done) / 60
    return f'about {minutes:.0f} min to go'
