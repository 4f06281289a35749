"""Box coder of the original as a registry module."""

from collections.abc import Sequence

from torch import Tensor

from glip.ops import decode_inclusive, encode_inclusive
from glip.registry import TASK_UTILS


@TASK_UTILS.register_module()
class DeltaXYWHBBoxCoderForGLIP:
    """Deltas between inclusive boxes; dw and dh are clamped from above only.

    Args:
        target_means: Must be zeros, as in every GLIP config.
        target_stds: Inverse weights of dx, dy, dw, dh.
    """

    encode_size = 4

    def __init__(
        self,
        target_means: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        target_stds: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
    ) -> None:
        if any(target_means):
            raise ValueError('target_means other than 0 are not part of GLIP')
        self.weights = tuple(1 / std for std in target_stds)

    def encode(self, anchors: Tensor, boxes: Tensor) -> Tensor:
        """Inclusive anchors and boxes (N, 4) to deltas (N, 4)."""
        return encode_inclusive(anchors, boxes, self.weights)

    def decode(self, anchors: Tensor, deltas: Tensor) -> Tensor:
        """Inclusive anchors and deltas (N, 4) to inclusive boxes (N, 4)."""
        return decode_inclusive(anchors, deltas, self.weights)
