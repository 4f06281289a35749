"""Products of many tiles of rows with one weight, which is laid out for them once."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .linear import onednn_is_used

# With fewer rows, laying out the weight costs more than it gains.
_LEAST_ROWS = 1024


def packed_product(
    weight: Tensor, rows: int, bias: Tensor | None = None
) -> Callable[[Tensor], Tensor]:
    """A function that multiplies tiles, of shape (n, K), by the transposed weight.

    On a CPU oneDNN multiplies, as in :func:`~glip.ops.linear`, by a weight in the
    layout that it likes: in tiles that fit a cache as fast as in large ones.

    Args:
        weight: Shape (N, K), any strides.
        rows: How many there are in all tiles.
        bias: Added to each product, shape (N,), or None.
    """
    known = weight.device.type == 'cpu' and weight.dtype in (
        torch.float32,
        torch.bfloat16,
    )
    if not known or rows < _LEAST_ROWS or not onednn_is_used():
        return lambda tile: F.linear(tile, weight, bias)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
    product = torch.ops.mkldnn._linear_pointwise
    return lambda tile: product(tile, packed, bias, 'none', [], '')
