"""Mixed precision on GPUs and, in bfloat16, on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from glip.registry import OPTIM_WRAPPERS
from glip.runtime.precision import amp_dtype, half_precision


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper):
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
        super().__init__(**kwargs)
        name = amp_dtype(dtype)
        self.cast_dtype = half_precision(name)
        self.loss_scaler = None
        self._fixed_scale = None
        if name == 'float16':
            if isinstance(loss_scale, (int, float)):
                self._fixed_scale = float(loss_scale)
                loss_scale = dict(init_scale=self._fixed_scale)
            options = {} if loss_scale == 'dynamic' else dict(loss_scale)
            self.loss_scaler = _scaler(options)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Gradients of the (scaled) loss."""
        if self.loss_scaler is not None:
            loss = self.loss_scaler.scale(loss)
        super().backward(loss, **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Clip and update; with float16 a step whose gradients overflow is left out."""
        if self.loss_scaler is None:
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._fixed_scale)
        self.message_hub.update_scalar('train/loss_scale', self.loss_scaler.get_scale())

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Where the forward pass belongs."""
        device = self.optimizer.param_groups[0]['params'][0].device.type
        with super().optim_context(model), torch.autocast(device, self.cast_dtype):
            yield

    def state_dict(self) -> dict:
        """State of the optimizer, and ``loss_scaler`` where there is one."""
        state = super().state_dict()
        if self.loss_scaler is not None:
            state['loss_scaler'] = self.loss_scaler.state_dict()
        return state

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over a state, also that of a training in another precision."""
        scaler = state_dict.pop('loss_scaler', None)
        if scaler and self.loss_scaler is not None:
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


def _scaler(options: dict) -> torch.amp.GradScaler:
    return torch.amp.GradScaler('cuda', **options)
