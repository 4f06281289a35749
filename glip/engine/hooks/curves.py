"""A picture of the training: losses, learning rates and results over the steps."""

from __future__ import annotations

import logging

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from glip.registry import HOOKS
from glip.report.log_figures import draw_curves


@HOOKS.register_module()
class CurvesHook(Hook):
    """Draw ``work_dir/curves.png`` after every validation and at the end."""

    priority = 'LOWEST'

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Draw what there is, in case that the run is killed."""
        if is_main_process() and 'max_iters' in runner.message_hub.runtime_info:
            draw_curves(runner.work_dir)

    def after_train(self, runner: Runner) -> None:
        """Draw the whole run."""
        if is_main_process() and draw_curves(runner.work_dir) is None:
            print_log(
                f'no curves.png: no losses are in {runner.work_dir}/*/vis_data '
                '(vis_backends needs LocalVisBackend)',
                'current',
                logging.WARNING,
            )
