"""Products of many tiles of rows with one weight, which is laid out for them once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.ops.cpu.linear import onednn_is_used
from glip.ops.torch_internals import onednn_has_bf16, packed_linear

# With fewer rows, laying out the weight costs more than it gains.
_LEAST_ROWS = 1024

_scope = threading.local()


@contextmanager
def packing_once() -> Iterator[None]:
    """Within it a weight is laid out for one product only; none may change meanwhile.

    For a network that goes over a pyramid level by level, always with the same weights.
    A compiler must not trace it: what it has stored would be compared in every call.
    """
    if torch.compiler.is_compiling():
        yield
        return
    before, _scope.packed = getattr(_scope, 'packed', None), {}
    try:
        yield
    finally:
        _scope.packed = before


def packed_product(
    weight: Tensor,
    rows: int,
    bias: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Callable[[Tensor], Tensor]:
    """A function that maps tiles, of shape (n, K), as ``F.linear`` would.

    On a CPU oneDNN multiplies, as in :func:`~glip.ops.cpu.linear`, by a weight in the
    layout that it likes: in tiles that fit a cache as fast as in large ones.

    Args:
        weight: Shape (N, ...), any strides; flattened to (N, K).
        rows: How many there are in all tiles.
        bias: Shape (N,) or None.
        dtype: What to multiply in, that of the weight by default.
    """
    dtype = dtype or weight.dtype
    known = _packed()
    key = weight.data_ptr(), weight.shape, weight.stride(), dtype
    bias = None if bias is None else bias.to(dtype)
    if key not in known and (rows < _LEAST_ROWS or not _packs(weight, dtype)):
        matrix = weight.flatten(1).to(dtype)
        return lambda tile: F.linear(tile, matrix, bias)
    if key not in known:
        matrix = weight.to(dtype).flatten(1).contiguous()
        # The weight is kept as well: its address must not become another's.
        known[key] = packed_linear(matrix), weight
    product, _ = known[key]
    return lambda tile: product(tile, bias)


def _packed() -> dict:
    """What is laid out already, forgotten at once outside of :func:`packing_once`."""
    packed = getattr(_scope, 'packed', None)
    return {} if packed is None else packed


def _packs(weight: Tensor, dtype: torch.dtype) -> bool:
    return (
        weight.device.type == 'cpu'
        and (dtype is torch.float32 or (dtype is torch.bfloat16 and onednn_has_bf16()))
        and onednn_is_used()
    )
