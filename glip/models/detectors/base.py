"""What a runner of mmengine and a client of mmdet call on a detector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from glip.models.module import InitCfg, Module
from glip.models.preprocessing import DetDataPreprocessor
from glip.registry import MODELS, build_light


class BaseDetector(Module, ABC):
    """Steps of training and test around three forms of ``forward``.

    The methods of mmdet's ``BaseDetector``, without its import, which takes seconds.

    Args:
        data_preprocessor: Makes the tensor of a batch; a module or the config of one.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: InitCfg = None,
    ) -> None:
        super().__init__(init_cfg)
        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = build_light(
                data_preprocessor or dict(type=DetDataPreprocessor.__name__),
                MODELS,
                DetDataPreprocessor,
            )
        self.data_preprocessor: Any = data_preprocessor

    @abstractmethod
    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence
    ) -> dict[str, Tensor]:
        """Training losses of a batch."""

    @abstractmethod
    def predict(self, batch_inputs: Tensor, batch_data_samples: Sequence) -> Sequence:
        """The data samples with ``pred_instances``."""

    @abstractmethod
    def _forward(self, batch_inputs: Tensor, batch_data_samples: Sequence) -> Any:
        """Raw outputs of the network."""

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """One of :meth:`loss`, :meth:`predict` and the raw outputs.

        Args:
            inputs: Preprocessed pictures (B, 3, H, W).
            data_samples: Of these pictures.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.

        Raises:
            RuntimeError: There is no such mode.
        """
        forms = dict(loss=self.loss, predict=self.predict, tensor=self._forward)
        if mode not in forms:
            raise RuntimeError(f'mode is one of {", ".join(forms)}, not {mode!r}')
        return forms[mode](inputs, data_samples or ())

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Losses and gradients of a batch, and a step of the optimizer.

        Returns:
            What is logged, see :meth:`parse_losses`.
        """
        with optim_wrapper.optim_context(self):
            losses = self._run_forward(self.data_preprocessor(data, True), 'loss')
        total, logged = self.parse_losses(losses)
        optim_wrapper.update_params(total)
        return logged

    def test_step(self, data: Any) -> Any:
        """Predictions for a batch as a data loader gives it."""
        return self._run_forward(self.data_preprocessor(data, False), 'predict')

    val_step = test_step

    def parse_losses(
        self, losses: Mapping[str, Tensor | Sequence[Tensor]]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum that is trained on, of all whose name has 'loss' in it.

        Returns:
            The sum, and what is logged: the sum as ``loss`` and each value.
        """
        logged = {
            name: value.mean()
            if isinstance(value, Tensor)
            else torch.stack([one.mean() for one in value]).sum()
            for name, value in losses.items()
        }
        parts = [value for name, value in logged.items() if 'loss' in name]
        total = sum(parts[1:], parts[0])
        return total, dict(loss=total) | logged

    def _run_forward(self, data: Any, mode: str) -> Any:
        # Also called by mmengine's wrapper for distributed training.
        if isinstance(data, Mapping):
            return self(**data, mode=mode)
        return self(*data, mode=mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        # mmengine's preprocessors keep their device in a field of their own.
        if hasattr(self.data_preprocessor, '_device'):
            tensor = next(self.parameters(), None)
            if tensor is not None:
                self.data_preprocessor._device = tensor.device
        return self
