"""Products of many tiles of rows with one weight, which is laid out for them once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.ops.cpu.linear import onednn_is_used
from glip.ops.torch_internals import onednn_has_bf16, onednn_linear, packed_linear

# With fewer rows, laying out the weight costs more than it gains.
_LEAST_ROWS = 4096

_scope = threading.local()
# What is laid out of the weights of a module that stay as they are, beside the module,
# which so can be copied and pickled.
_kept: WeakKeyDictionary[Any, dict] = WeakKeyDictionary()


@contextmanager
def packing_once(owner: Any = None) -> Iterator[None]:
    """Within it a weight is laid out for one product only; none may change meanwhile.

    For a network that goes over a pyramid level by level, always with the same weights.
    A compiler must not trace it: what it has stored would be compared in every call.

    Args:
        owner: Module of the weights, which is to keep what is laid out for the next
            time; it is laid out again where a weight has changed, but for changes by
            way of ``.data``, which cannot be seen.
    """
    if torch.compiler.is_compiling():
        yield
        return
    before = getattr(_scope, 'packed', None), getattr(_scope, 'keeps', False)
    _scope.keeps = owner is not None
    _scope.packed = _kept.setdefault(owner, {}) if _scope.keeps else {}
    try:
        yield
    finally:
        _scope.packed, _scope.keeps = before


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
    version = None if weight.is_inference() else weight._version
    bias = None if bias is None else bias.to(dtype)
    entry = known.get(key)
    if entry is None or entry[2] != version:
        by_onednn = _by_onednn(weight, dtype)
        pays = rows >= _LEAST_ROWS or getattr(_scope, 'keeps', False)
        if not pays or not by_onednn:
            matrix = weight.flatten(1).to(dtype)
            multiply = onednn_linear if by_onednn else F.linear
            return lambda tile: multiply(tile, matrix, bias)
        matrix = weight.to(dtype).flatten(1).contiguous()
        # The weight is kept as well: its address must not become another's.
        entry = known[key] = packed_linear(matrix), weight.detach(), version
    product = entry[0]
    return lambda tile: product(tile, bias)


def _packed() -> dict:
    """What is laid out already, forgotten at once outside of :func:`packing_once`."""
    packed = getattr(_scope, 'packed', None)
    return {} if packed is None else packed


def _by_onednn(weight: Tensor, dtype: torch.dtype) -> bool:
    return (
        weight.device.type == 'cpu'
        and (dtype is torch.float32 or (dtype is torch.bfloat16 and onednn_has_bf16()))
        and onednn_is_used()
    )
