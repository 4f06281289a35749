"""Checkpoints that replace older ones only when they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import (
    BaseLoop,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
)

from glip.checkpoints.pretrained import skip_pretrained
from glip.engine.killed import ValidatedSteps, clear_leftovers
from glip.errors import ConfigError
from glip.registry import HOOKS
from glip.runtime.processes import of_first


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """mmengine's hook, for trainings that may be killed at any moment.

    The old file is deleted after the new one is written; otherwise a run that is killed
    while it saves would be left without its best checkpoint and, with
    ``max_keep_ckpts=1``, without any. A validation that a kill has cut off is made up
    for when the training is resumed, before it goes on: else the best weights may be
    those that were never judged. Which are done is in ``work_dir/validated_steps``.
    """

    def before_run(self, runner: Runner) -> None:
        """Let mmengine's own runner not fetch weights that ``load_from`` overwrites."""
        if runner._load_from is not None:
            skip_pretrained(runner.model)

    def before_train(self, runner: Runner) -> None:
        """Clear what a kill left, and make up for the validation it cut off."""
        super().before_train(runner)
        steps = ValidatedSteps(runner.work_dir)
        if is_main_process():
            clear_leftovers(self.out_dir, self._best_checkpoints())
            steps.forget_after(runner.iter)
        if of_first(lambda: _is_due(runner) and runner.iter not in steps.read()):
            runner.logger.info(
                f'the validation after step {runner.iter} was cut off: it is done first'
            )
            # The checkpoint that is resumed is written again if it is the best.
            self.last_ckpt = runner.message_hub.runtime_info.get('last_ckpt')
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, float]) -> None:
        """Save the best checkpoint, and note that this validation is done."""
        super().after_val_epoch(runner, metrics)
        if isinstance(runner._train_loop, BaseLoop) and is_main_process():
            ValidatedSteps(runner.work_dir).add(runner.iter)

    def _best_checkpoints(self) -> list[str]:
        """Those of the run so far."""
        paths = [getattr(self, 'best_ckpt_path', None)]
        paths += getattr(self, 'best_ckpt_path_dict', {}).values()
        return [path for path in paths if path]

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        with self._deleting_later():
            super()._save_checkpoint_with_step(runner, step, meta)

    def _save_best_checkpoint(
        self, runner: Runner, metrics: Mapping[str, float]
    ) -> None:
        if not self.save_best:
            return
        missing = [k for k in self.key_indicators if k != 'auto' and k not in metrics]
        if missing:
            raise ConfigError(
                f'default_hooks.checkpoint.save_best={missing[0]!r} is not among the '
                f'results of the evaluation: {", ".join(metrics) or "there are none"}'
            )
        with self._deleting_later():
            super()._save_best_checkpoint(runner, metrics)

    @contextmanager
    def _deleting_later(self) -> Iterator[None]:
        """Put off what mmengine's hook deletes until what it writes is there."""
        backend = self.file_backend
        if isinstance(backend, _LateDeletion):  # the best one saves the last one again
            yield
            return
        self.file_backend = _LateDeletion(backend)
        try:
            yield
            kept = {self.last_ckpt, getattr(self, 'best_ckpt_path', None)}
            kept |= set(getattr(self, 'best_ckpt_path_dict', {}).values())
            self.file_backend.delete(kept)
        finally:
            self.file_backend = backend


def _is_due(runner: Runner) -> bool:
    """Whether a training stands where a validation belongs."""
    loop = runner._train_loop
    if runner._val_loop is None or runner.iter == 0:
        return False
    if isinstance(loop, EpochBasedTrainLoop):
        step, last = loop.epoch, loop.max_epochs
        if loop.iter != step * len(loop.dataloader):
            return False  # within an epoch
    elif isinstance(loop, IterBasedTrainLoop):
        step, last = loop.iter, loop.max_iters
    else:
        return False
    loop._decide_current_val_interval()
    regular = step % loop.val_interval == 0 or step == last
    return step >= loop.val_begin and regular


class _LateDeletion:
    """A file backend that remembers what to delete."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._files: list[str] = []
        self._folders: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._files.append(path)

    def rmtree(self, path: str) -> None:
        self._folders.append(path)

    def delete(self, kept: set[str | None]) -> None:
        """Delete what was asked for, unless it was written anew meanwhile."""
        for path in self._files:
            if path not in kept:
                self._backend.remove(path)
        for path in self._folders:
            if path not in kept:
                self._backend.rmtree(path)
