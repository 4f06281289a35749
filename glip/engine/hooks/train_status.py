"""What the log of mmengine leaves out: rates of all groups, memory without a GPU."""

from __future__ import annotations

import re
import sys
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip.registry import HOOKS


@HOOKS.register_module()
class TrainStatusHook(Hook):
    """Put every learning rate, and on the CPU the peak memory, into log and scalars.

    mmengine shows the rate of the first parameter group alone. Here the groups that
    :class:`~glip.engine.GLIPOptimWrapperConstructor` made follow under their names, as
    ``bias_lr`` or ``language_model_lr``.
    """

    priority = 'VERY_HIGH'

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Note the rates of this step."""
        optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
        if optimizer is None:
            return
        for group in optimizer.param_groups:
            if 'name' in group:
                name = re.sub(r'\W', '_', group['name'])
                runner.message_hub.update_scalar(f'train/{name}_lr', group['lr'])

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Note the memory; with a GPU the log itself shows that of the GPU."""
        if not torch.cuda.is_available() and (peak := peak_memory()) is not None:
            runner.message_hub.update_scalar('train/memory', peak)


def peak_memory() -> int | None:
    """Most memory that this process has held, in MB; None where nobody counts it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (2**20 if sys.platform == 'darwin' else 2**10))
