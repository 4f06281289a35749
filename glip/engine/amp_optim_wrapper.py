"""Mixed precision on GPUs and, in bfloat16, on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper as _AmpOptimWrapper
from mmengine.optim import OptimWrapper
from torch import nn

from glip.registry import OPTIM_WRAPPERS
from glip.runtime.precision import amp_dtype, half_precision


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(_AmpOptimWrapper):
    """Forward in half precision, gradients, parameters and their update in full.

    Differs from mmengine's of this name in that ``dtype`` may be ``'auto'``, that
    bfloat16, whose range is that of float32, has no loss scale, and that bfloat16 also
    works on the CPU.

    Args:
        dtype: See :func:`glip.runtime.precision.amp_dtype`.
        loss_scale: Of float16: ``'dynamic'``, a fixed factor, or the arguments of
            ``torch.amp.GradScaler``.
        kwargs: ``optimizer``, ``accumulative_counts`` and ``clip_grad``.

    Raises:
        ConfigError: The processor cannot compute in this type.
    """

    def __init__(
        self,
        *,
        dtype: str | torch.dtype | None = 'auto',
        loss_scale: str | float | dict = 'dynamic',
        **kwargs: Any,
    ) -> None:
        OptimWrapper.__init__(self, **kwargs)  # mmengine's own insists on a GPU
        name = amp_dtype(dtype)
        self.cast_dtype = half_precision(name)
        self._scale_update_param = None
        if isinstance(loss_scale, (int, float)):
            self._scale_update_param = float(loss_scale)
            loss_scale = dict(init_scale=float(loss_scale))
        options = {} if loss_scale == 'dynamic' else dict(loss_scale)
        self.loss_scaler = _scaler(options | dict(enabled=name == 'float16'))

    def step(self, **kwargs: Any) -> None:
        """Clip and update; with float16 a step whose gradients overflow is left out."""
        super().step(**kwargs)
        if self.loss_scaler.is_enabled():
            scale = self.loss_scaler.get_scale()
            self.message_hub.update_scalar('train/loss_scale', scale)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Where the forward pass belongs."""
        device = self.optimizer.param_groups[0]['params'][0].device.type
        with (
            OptimWrapper.optim_context(self, model),
            torch.autocast(device, self.cast_dtype),
        ):
            yield

    def state_dict(self) -> dict:
        """State of the optimizer, and ``loss_scaler`` where there is one."""
        state = super().state_dict()
        if not self.loss_scaler.is_enabled():
            del state['loss_scaler']
        return state


def _scaler(options: dict) -> torch.amp.GradScaler:
    return torch.amp.GradScaler('cuda', **options)
