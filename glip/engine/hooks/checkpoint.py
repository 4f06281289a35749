"""Checkpoints that replace older ones only when they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mmengine.hooks import CheckpointHook as _CheckpointHook
from mmengine.runner import Runner

from glip.engine.pretrained_init import skip_pretrained
from glip.errors import ConfigError
from glip.registry import HOOKS


@HOOKS.register_module()
class CheckpointHook(_CheckpointHook):
    """mmengine's hook, which here deletes the old file after it wrote the new one.

    Otherwise a run that is killed while it saves would be left without its best
    checkpoint and, with ``max_keep_ckpts=1``, without any.
    """

    def before_run(self, runner: Runner) -> None:
        """Let mmengine's own runner not fetch weights that ``load_from`` overwrites."""
        if runner._load_from is not None:
            skip_pretrained(runner.model)

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
