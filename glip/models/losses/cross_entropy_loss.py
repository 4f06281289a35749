"""Binary cross-entropy of centerness."""

import torch.nn.functional as F
from torch import Tensor

from glip.models.losses.mmdet_form import LossOfMMDet


class CrossEntropyLoss(LossOfMMDet):
    """mmdet's loss of this name with ``use_sigmoid``.

    Results are mmdet's; weighted and reduced forms take its path.
    """

    use_sigmoid: bool

    def __init__(
        self,
        use_sigmoid: bool = False,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(
            reduction=reduction, loss_weight=loss_weight, use_sigmoid=use_sigmoid
        )

    def forward(
        self,
        cls_score: Tensor,
        label: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
        **kwargs,
    ) -> Tensor:
        """Logits and probabilities (N,) to (N,) where the reduction is 'none'."""
        alone = weight is None and avg_factor is None and not kwargs
        alone &= cls_score.shape == label.shape and self.use_sigmoid
        if alone and (reduction_override or self.reduction) == 'none':
            losses = F.binary_cross_entropy_with_logits(
                cls_score, label.float(), reduction='none'
            )
            return self.loss_weight * losses
        return self._as_mmdet(
            cls_score, label, weight, avg_factor, reduction_override, **kwargs
        )
