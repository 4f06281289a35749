"""Lines of the log, and results as JSON."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import LoggerHook as _LoggerHook

from glip.registry import HOOKS


@HOOKS.register_module()
class LoggerHook(_LoggerHook):
    """mmengine's hook, which writes the results of a test from one process only.

    There all processes write to the same ``<time>/<time>.json``, which two at a time
    leave in pieces.
    """

    def after_test_epoch(
        self, runner: Any, metrics: dict[str, float] | None = None
    ) -> None:
        """Log the results and write them."""
        if runner.rank == 0:
            super().after_test_epoch(runner, metrics)
