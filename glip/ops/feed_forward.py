"""The feed-forward part of a transformer block, with its norm and residual, in tiles.

``x + out(gelu(in(norm(x))))``. The hidden rows, four times as wide as the input, exist
for one tile at a time. For the backward pass the input is kept and, unless memory is
short, what goes into the activation; norm and activation are computed again.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .linear import linear
from .tiles import TILE_ROWS, row_factors


class FeedForwardWeights(NamedTuple):
    """What trains in a feed-forward part.

    Attributes:
        norm_weight: Of the layer norm, (C,).
        norm_bias: (C,).
        in_weight: (hidden, C).
        in_bias: (hidden,).
        out_weight: (C, hidden).
        out_bias: (C,).
    """

    norm_weight: Tensor
    norm_bias: Tensor
    in_weight: Tensor
    in_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor


def tiled_feed_forward(
    x: Tensor,
    weights: FeedForwardWeights,
    kept: Tensor | None = None,
    *,
    eps: float,
    recompute: bool = False,
) -> Tensor:
    """Two linear maps with GELU of the layer-normed map, added to the map.

    Args:
        x: Map on the CPU, shape (B, H, W, C).
        weights: What trains.
        kept: What is added to a map is multiplied by this (stochastic depth), shape
            (B,), or None for 1. Where all are 0 nothing is computed.
        eps: Of the layer norm.
        recompute: Compute the first product again in the backward pass.

    Returns:
        Shape (B, H, W, C).
    """
    if torch.is_grad_enabled():
        return _TiledFeedForward.apply(eps, recompute, kept, x, *weights)
    return _feed(eps, kept, x, weights, out=x)[0]


def _feed(
    eps: float,
    kept: Tensor | None,
    x: Tensor,
    weights: FeedForwardWeights,
    keep: bool = False,
    out: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """The result, and what goes into the activation by tiles if it is kept."""
    products: list[Tensor] = []
    if kept is not None and not kept.any():
        return x.clone(), products
    rows, factor = x.reshape(-1, x.shape[-1]), row_factors(kept, x)
    out = torch.empty_like(rows) if out is None else out.view(rows.shape)
    for tile in _tiles(rows):
        pixels = rows[tile]
        normed = F.layer_norm(
            pixels, pixels.shape[1:], weights.norm_weight, weights.norm_bias, eps
        )
        hidden = linear(normed, weights.in_weight, weights.in_bias)
        if keep:
            products.append(hidden)
            hidden = F.gelu(hidden)
        else:
            torch.ops.aten.gelu_(hidden)
        added = linear(hidden, weights.out_weight, weights.out_bias)
        if factor is not None:
            added *= factor[tile]
        torch.add(pixels, added, out=out[tile])
    return out.view(x.shape), products


def _tiles(rows: Tensor) -> list[slice]:
    step = -(-len(rows) // -(-len(rows) // TILE_ROWS))
    return [slice(at, at + step) for at in range(0, len(rows), step)]


class _TiledFeedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, eps, recompute, kept, x, *tensors):
        weights = FeedForwardWeights(*tensors)
        keep = any(ctx.needs_input_grad) and not recompute
        out, products = _feed(eps, kept, x, weights, keep)
        ctx.eps = eps
        ctx.save_for_backward(kept, x, *tensors, *products)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        kept, x, *tensors = ctx.saved_tensors
        count = len(FeedForwardWeights._fields)
        weights, products = FeedForwardWeights(*tensors[:count]), tensors[count:]
        grads = FeedForwardWeights(*map(torch.zeros_like, weights))
        if kept is not None and not kept.any():
            return None, None, None, grad, *grads
        grad_x = _backward(ctx.eps, kept, x, weights, products, grad, grads)
        return None, None, None, grad_x, *grads


def _backward(eps, kept, x, weights, products, grad, grads) -> Tensor:
    """Gradient of the map; those of the weights are added to ``grads``."""
    rows, factor = x.reshape(-1, x.shape[-1]), row_factors(kept, x)
    grad = grad.reshape(rows.shape)
    grad_rows = torch.empty_like(rows)
    # oneDNN reads transposed weights slowly.
    from_out = weights.out_weight.t().contiguous()
    from_in = weights.in_weight.t().contiguous()
    for number, tile in enumerate(_tiles(rows)):
        pixels = rows[tile]
        normed, mean, rstd = torch.native_layer_norm(
            pixels, pixels.shape[1:], weights.norm_weight, weights.norm_bias, eps
        )
        if products:
            hidden = products[number]
        else:
            hidden = linear(normed, weights.in_weight, weights.in_bias)
        grad_added = grad[tile] if factor is None else grad[tile] * factor[tile]
        grads.out_weight.addmm_(grad_added.t(), F.gelu(hidden))
        grads.out_bias.add_(grad_added.sum(0))
        grad_hidden = linear(grad_added, from_out)
        grad_hidden = torch.ops.aten.gelu_backward(grad_hidden, hidden)
        grads.in_weight.addmm_(grad_hidden.t(), normed)
        grads.in_bias.add_(grad_hidden.sum(0))
        grad_pixels, grad_weight, grad_bias = torch.ops.aten.native_layer_norm_backward(
            linear(grad_hidden, from_in),
            pixels,
            pixels.shape[1:],
            mean,
            rstd,
            weights.norm_weight,
            weights.norm_bias,
            [True, True, True],
        )
        grads.norm_weight.add_(grad_weight)
        grads.norm_bias.add_(grad_bias)
        torch.add(grad[tile], grad_pixels, out=grad_rows[tile])
    return grad_rows.view(x.shape)
