"""What the log of mmengine leaves out: rates of all groups, memory without a GPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip.registry import HOOKS
from glip.runtime.measuring import peak_memory


@HOOKS.register_module()
class TrainStatusHook(Hook):
    """Put every learning rate, and on the CPU the peak memory, into log and scalars.

    mmengine shows the rate of the first parameter group alone. Here the groups that
    :class:`~glip.engine.GLIPOptimWrapperConstructor` made follow under their names, as
    ``bias_lr`` or ``language_model_lr``; of groups without a name those with a rate of
    their own do, as ``group57_lr``.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._shown: dict[str, int] = {}

    def before_train(self, runner: Runner) -> None:
        """Say what is trained on what, and settle which groups to show."""
        parameters = list(runner.model.parameters())
        count = sum(p.numel() for p in parameters) / 1e6
        trained = sum(p.numel() for p in parameters if p.requires_grad) / 1e6
        try:
            pictures = f'{len(runner.train_dataloader.dataset)} samples'
        except TypeError:
            pictures = 'a stream'
        runner.logger.info(
            f'{Path(runner.cfg.filename or "model").stem}: {count:.1f} M parameters, '
            f'{trained:.1f} M of them trained; {pictures}, {runner.max_iters} steps'
        )
        optimizer = getattr(runner.optim_wrapper, 'optimizer', None)
        self._shown, seen = {}, set()
        for i, group in enumerate(optimizer.param_groups if optimizer else ()):
            rate = group.get('initial_lr', group['lr'])
            if 'name' in group:
                self._shown[re.sub(r'\W', '_', group['name'])] = i
            elif rate not in seen and i > 0:
                self._shown[f'group{i}'] = i
            seen.add(rate)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Note the rates of this step."""
        for name, i in self._shown.items():
            rate = runner.optim_wrapper.optimizer.param_groups[i]['lr']
            runner.message_hub.update_scalar(f'train/{name}_lr', rate)

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
