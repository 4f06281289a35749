"""Focal loss over tokens."""

import torch
from torch import Tensor

from glip.models.losses.mmdet_form import LossOfMMDet
from glip.ops import focal_loss_sum
from glip.registry import MODELS


@MODELS.register_module()
class FocalLoss(LossOfMMDet):
    """mmdet's focal loss, several times faster and leaner where targets are binary.

    Fields and results are mmdet's; targets of any other kind take its path.
    """

    gamma: float
    alpha: float
    activated: bool

    def __init__(
        self,
        use_sigmoid: bool = True,
        gamma: float = 2.0,
        alpha: float = 0.25,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        activated: bool = False,
    ) -> None:
        if not use_sigmoid:
            raise ValueError('FocalLoss is there with use_sigmoid=True only')
        super().__init__(
            reduction=reduction,
            loss_weight=loss_weight,
            use_sigmoid=use_sigmoid,
            gamma=gamma,
            alpha=alpha,
            activated=activated,
        )

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Focal loss of logits.

        Args:
            pred: Logits, shape (N, T).
            target: Boolean map (N, T), or anything that mmdet's loss takes.
            weight: For a boolean target, a boolean map of the entries that count,
                which may be expanded.
            avg_factor: What the sum is divided by.
            reduction_override: mmdet's.
        """
        if (
            target.dtype != torch.bool
            or avg_factor is None
            or self.activated
            or (reduction_override or self.reduction) != 'mean'
        ):
            return self._as_mmdet(pred, target, weight, avg_factor, reduction_override)
        valid = torch.ones_like(target) if weight is None else weight
        total = focal_loss_sum(pred, target, valid, alpha=self.alpha, gamma=self.gamma)
        return self.loss_weight * total / avg_factor
