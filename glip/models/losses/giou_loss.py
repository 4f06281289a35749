"""GIoU loss of boxes."""

from torch import Tensor

from glip.models.losses.mmdet_form import LossOfMMDet
from glip.ops import generalized_iou
from glip.registry import MODELS


@MODELS.register_module()
class GIoULoss(LossOfMMDet):
    """mmdet's GIoU loss, whose values per box do not make the host wait.

    Fields and results are mmdet's; weighted and reduced forms take its path.
    """

    eps: float

    def __init__(
        self, eps: float = 1e-6, reduction: str = 'mean', loss_weight: float = 1.0
    ) -> None:
        super().__init__(reduction=reduction, loss_weight=loss_weight, eps=eps)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
        **kwargs,
    ) -> Tensor:
        """One minus GIoU, boxes (N, 4) to (N,) where the reduction is 'none'."""
        if weight is None and (reduction_override or self.reduction) == 'none':
            return self.loss_weight * (1 - generalized_iou(pred, target, self.eps))
        return self._as_mmdet(
            pred, target, weight, avg_factor, reduction_override, **kwargs
        )
