"""Stopping once the validation no longer improves, also over interruptions."""

from __future__ import annotations

from mmengine.hooks import EarlyStoppingHook as _EarlyStoppingHook
from mmengine.runner import Runner

from glip.registry import HOOKS

_KEY = 'early_stopping'


@HOOKS.register_module()
class EarlyStoppingHook(_EarlyStoppingHook):
    """mmengine's hook, whose count goes into the checkpoints.

    The checkpoint of an epoch is written before the epoch is validated. A training that
    goes on from it validates first, so that plateau schedule, best checkpoint and the
    count here are those of a training that was never interrupted.
    """

    def before_train(self, runner: Runner) -> None:
        """Take up the count of the training that goes on."""
        if state := runner.message_hub.runtime_info.get(_KEY):
            self.best_score, self.wait_count = state['best'], state['wait']
        loop = runner.train_loop
        if 0 < loop.epoch and runner.val_loop is not None:
            runner.val_loop.run()

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Count, and stop the training where it is time."""
        super().after_val_epoch(runner, metrics or {})
        state = {'best': float(self.best_score), 'wait': int(self.wait_count)}
        runner.message_hub.update_info(_KEY, state)
