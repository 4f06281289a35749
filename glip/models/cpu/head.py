"""The predictions of the grounding head, whose products oneDNN makes."""

from torch import Tensor

from glip.models.dense_heads import tower
from glip.ops.cpu import linear


class VLFusionModule(tower.VLFusionModule):
    """As the plain one, by :func:`glip.ops.cpu.linear`."""

    def product(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Affine map of rows (N, K) by a weight (M, K), to (N, M)."""
        return linear(rows, weight, bias)
