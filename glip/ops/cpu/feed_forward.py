"""The feed-forward part of a transformer block, with norm and residual, in tiles."""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from glip.ops.cpu.tiles import TILE_ROWS, TiledBranch, add_branch
from glip.ops.torch_internals import gelu_backward, gelu_in_place


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


class _Options(NamedTuple):
    eps: float


def tiled_feed_forward(
    x: Tensor,
    weights: FeedForwardWeights,
    factors: Tensor | None = None,
    *,
    eps: float,
    recompute: bool = False,
    overwrite: bool = False,
) -> Tensor:
    """Two linear maps with GELU of the layer-normed maps, added to the maps.

    The hidden rows, several times as wide as the input, exist for one tile at a time;
    for the backward pass what goes into the activation is kept.

    Args:
        x: Maps on the CPU, shape (B, H, W, C).
        weights: What trains.
        factors: What is added to each map is multiplied by this (stochastic depth),
            shape (B,), or None for 1. Where it is 0 nothing is computed.
        eps: Of the layer norm.
        recompute: Compute the first product again in the backward pass.
        overwrite: Write the result over ``x`` where no gradient is asked for.

    Returns:
        Shape (B, H, W, C).
    """
    return add_branch(
        _FeedForward,
        _Options(eps),
        x,
        weights,
        factors,
        recompute=recompute,
        overwrite=overwrite,
    )


class _FeedForward(TiledBranch):
    def __init__(self, x, weights, options, dtype):
        super().__init__(x, weights, options, dtype)
        count = x.shape[1] * x.shape[2]
        step = -(-count // -(-count // TILE_ROWS))
        self.tiles = [slice(at, at + step) for at in range(0, count, step)]

    def forward(self, pixels, tile, keep):
        hidden = self.times('in', self.norm(pixels)[0])
        if keep:
            return self.times('out', F.gelu(hidden)), hidden
        return self.times('out', gelu_in_place(hidden)), None

    def backward(self, pixels, tile, hidden, grad):
        normed, mean, rstd = self.norm(pixels)
        if hidden is None:
            hidden = self.times('in', normed)
        grad = self.times_backward('out', grad, F.gelu(hidden))
        grad = gelu_backward(grad, hidden)
        grad = self.times_backward('in', grad, normed)
        return self.norm_backward(grad, pixels, mean, rstd)
