"""Stop when the loss is no number, naming the pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from glip.checkpoints.latest import latest_checkpoint
from glip.errors import TrainingError
from glip.registry import HOOKS


@HOOKS.register_module()
class CheckInvalidLossHook(Hook):
    """Stop training at the first loss or gradient that is not finite.

    mmdet's hook of this name looks every 50 steps and says nothing about the samples;
    by then the weights are long lost. The values were already brought to the CPU for
    the log, so looking at every step costs nothing.

    Args:
        interval: Look every so many steps.
    """

    priority = 'HIGH'

    def __init__(self, interval: int = 1) -> None:
        self.interval = interval

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Look at the losses and the norm of the gradients of this step.

        Raises:
            TrainingError: One is not finite.
        """
        if not outputs or not self.every_n_train_iters(runner, self.interval):
            return
        values = {
            name: float(torch.as_tensor(value).detach())
            for name, value in outputs.items()
            if 'loss' in name
        }
        bad = [f'{n} is {v}' for n, v in values.items() if not math.isfinite(v)]
        if not bad and (norm := self._gradient_norm(runner)) is not None:
            bad = [f'the norm of the gradients is {norm}']
        if not bad:
            return
        last = latest_checkpoint(runner.work_dir)
        half = getattr(runner.optim_wrapper, 'cast_dtype', None) is not None
        or_precision = ', or train without --amp' if half else ''
        raise TrainingError(
            f'{", ".join(bad)} at iteration {runner.iter + 1} (epoch '
            f'{runner.epoch + 1}), for {samples_of(data_batch)}; '
            + (f'the last checkpoint is {last}; ' if last else 'no checkpoint yet; ')
            + f'look at these samples, or lower the learning rate{or_precision}'
        )

    @staticmethod
    def _gradient_norm(runner: Runner) -> float | None:
        """The norm of this step's gradients if it tells that the weights are lost."""
        scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
        if scaler is not None and scaler.is_enabled():
            return None  # its overflows are normal, and left out
        history = runner.message_hub.log_scalars.get('train/grad_norm')
        if history is None:
            return None
        norm = float(history.current())
        return None if math.isfinite(norm) else norm


def samples_of(data_batch: Any) -> str:
    """The pictures of a batch, by path and id."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    names = []
    for sample in samples or ():
        path, number = sample.get('img_path'), sample.get('img_id')
        names.append(f'{path} (id {number})' if number is not None else str(path))
    return ', '.join(names) or 'samples without a name'
