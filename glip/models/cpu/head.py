"""The grounding head: products by oneDNN, and few candidates to begin with."""

from torch import Tensor

from glip.models.cpu.selection import select_candidates
from glip.models.dense_heads import atss_vlfusion_head, prediction, tower
from glip.ops.cpu import linear


class VLFusionModule(tower.VLFusionModule):
    """As the plain one, by :func:`glip.ops.cpu.linear`."""

    def product(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Affine map of rows (N, K) by a weight (M, K), to (N, M)."""
        return linear(rows, weight, bias)


class Predictor(prediction.Predictor):
    """As the plain one, by :func:`glip.models.cpu.selection.select_candidates`."""

    select = staticmethod(select_candidates)


class ATSSVLFusionHead(atss_vlfusion_head.ATSSVLFusionHead):
    """As the plain one, with the :class:`Predictor` of this module."""

    predictor_type = Predictor
