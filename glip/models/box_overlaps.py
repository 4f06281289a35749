"""IoU of the original's boxes as a registry module."""

from torch import Tensor

from glip.ops import iou_inclusive
from glip.registry import TASK_UTILS


@TASK_UTILS.register_module()
class BboxOverlaps2D_GLIP:  # noqa: N801 (the name mmdet's configs use)
    """IoU in which a box includes its last pixel."""

    def __call__(
        self,
        bboxes1: Tensor,
        bboxes2: Tensor,
        mode: str = 'iou',
        is_aligned: bool = False,
    ) -> Tensor:
        """IoU of every pair, shape (N, M), or of pairs row by row, shape (N,).

        Args:
            bboxes1: Inclusive boxes, shape (N, 4).
            bboxes2: Shape (M, 4), or (N, 4) when aligned.
            mode: Only 'iou'.
            is_aligned: Compare row by row.

        Raises:
            ValueError: If the mode is another one.
        """
        if mode != 'iou':
            raise ValueError(f"BboxOverlaps2D_GLIP knows the mode 'iou', not '{mode}'")
        return iou_inclusive(bboxes1 if is_aligned else bboxes1[:, None], bboxes2)
