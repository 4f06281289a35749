"""Losses that leave to mmdet's class what they do not compute themselves."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from torch import Tensor, nn


class LossOfMMDet(nn.Module):
    """A loss with name and fields of one of mmdet's.

    mmdet's models take seconds to import, so theirs is built when it is first needed.

    Args:
        reduction: ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight: Factor of the loss.
        **fields: Further ones of mmdet's class.
    """

    def __init__(self, *, reduction: str, loss_weight: float, **fields: Any) -> None:
        super().__init__()
        self.reduction, self.loss_weight = reduction, loss_weight
        for name, value in fields.items():
            setattr(self, name, value)
        self._fields = dict(fields, reduction=reduction, loss_weight=loss_weight)

    def _as_mmdet(self, *args: Any, **kwargs: Any) -> Tensor:
        """What mmdet's class computes."""
        theirs = getattr(import_module('mmdet.models.losses'), type(self).__name__)
        return theirs(**self._fields)(*args, **kwargs)
