"""Attention within shifted windows, with its norm and residual, in tiles.

The first half of a block of Swin (arXiv 2103.14030, section 3.2).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from glip.ops.cpu.tiles import TiledBranch, add_branch
from glip.ops.cpu.window_tiles import WindowTile, window_tiles
from glip.ops.torch_internals import softmax_backward
from glip.ops.windows import shift_patterns


class AttentionWeights(NamedTuple):
    """What trains in an attention.

    Attributes:
        norm_weight: Of the layer norm, (C,).
        norm_bias: (C,).
        qkv_weight: Of queries, keys and values, each head by head, (3C, C).
        qkv_bias: (3C,) or None.
        position_bias: Added to the scores, (heads, w*w, w*w).
        proj_weight: (C, C).
        proj_bias: (C,).
    """

    norm_weight: Tensor
    norm_bias: Tensor
    qkv_weight: Tensor
    qkv_bias: Tensor | None
    position_bias: Tensor
    proj_weight: Tensor
    proj_bias: Tensor


class AttentionWindows(NamedTuple):
    """How an attention is done.

    Attributes:
        window: Side w of a window in positions.
        shift: Positions that windows are moved down and to the right.
        scale: Of the products of queries and keys.
        eps: Of the layer norm.
    """

    window: int
    shift: int
    scale: float
    eps: float


def tiled_window_attention(
    x: Tensor,
    weights: AttentionWeights,
    windows: AttentionWindows,
    factors: Tensor | None = None,
    *,
    recompute: bool = False,
) -> Tensor:
    """Multi-head self-attention of the layer-normed maps in windows, added to the maps.

    Maps are not padded, rolled and cut as a whole: a tile gathers the pixels of some
    windows. For the backward pass queries, keys and values are kept.

    Args:
        x: Maps on the CPU, shape (B, H, W, C).
        weights: What trains.
        windows: How it is done.
        factors: What is added to each map is multiplied by this (stochastic depth),
            shape (B,), or None for 1. Where it is 0 nothing is computed.
        recompute: Compute queries, keys and values again in the backward pass.

    Returns:
        Shape (B, H, W, C).
    """
    return add_branch(
        _WindowAttention, windows, x, weights, factors, recompute=recompute
    )


class _WindowAttention(TiledBranch):
    def __init__(self, x, weights, options, dtype):
        super().__init__(x, weights, options, dtype)
        self.tiles = window_tiles(*x.shape[1:3], options.window, options.shift)
        # Shape (1, heads, L, L), or 4 where the shift makes windows differ.
        self.added = weights.position_bias.detach()[None]
        if options.shift:
            patterns = shift_patterns(options.window, options.shift)
            self.added = self.added + patterns[:, None].to(self.added)
        if dtype.itemsize > 2:  # else scores are wide
            self.added = self.added.to(dtype)

    def forward(self, pixels, tile, keep):
        qkv = self.queries_keys_values(self.norm(pixels)[0], tile)
        q, k, v = self.heads(qkv, 3)
        added = self.added_to_scores(tile)
        # Torch's fused kernel shares out small windows between threads badly.
        scores = torch.add(added, q @ k.mT, alpha=self.options.scale)
        mixed = scores.softmax(-1).to(self.dtype) @ v
        return self.times('proj', _inside(_joined(mixed), tile)), qkv

    def backward(self, pixels, tile, qkv, grad):
        normed, mean, rstd = self.norm(pixels)
        if qkv is None:
            qkv = self.queries_keys_values(normed, tile)
        q, k, v = self.heads(qkv, 3).contiguous()
        added, scale = self.added_to_scores(tile), self.options.scale
        scores = torch.baddbmm(
            added.expand(*q.shape[:2], -1, -1).flatten(0, 1),
            q.flatten(0, 1),
            k.flatten(0, 1).mT,
            alpha=scale,
        )
        probs = scores.softmax(-1).view(*q.shape[:3], -1)
        mixed = _inside(_joined(probs @ v), tile)

        grad = _with_padding(self.times_backward('proj', grad, mixed), tile)
        grad = self.heads(grad, 1)[0].contiguous()
        grad_qkv = torch.empty_like(qkv)
        grad_q, grad_k, grad_v = self.heads(grad_qkv, 3)
        grad_v.copy_(probs.mT @ grad)
        grad = softmax_backward(grad @ v.mT, probs)
        self.grads.position_bias.add_(grad.sum(0))
        grad *= scale
        grad_q.copy_(grad @ k)
        grad_k.copy_(grad.mT @ q)

        grad = self.times_backward('qkv', _inside(grad_qkv, tile), normed)
        if tile.padding is not None and self.grads.qkv_bias is not None:
            self.grads.qkv_bias.add_(grad_qkv.index_select(0, tile.padding).sum(0))
        return self.norm_backward(grad, pixels, mean, rstd)

    def queries_keys_values(self, normed, tile):
        """Those of all positions, (positions, 3C); padding has a norm of 0."""
        qkv = _with_padding(self.times('qkv', normed), tile)
        bias = self.weight('qkv_bias')
        if tile.padding is not None and bias is not None:
            qkv[tile.padding] = bias
        return qkv

    def added_to_scores(self, tile):
        """Shape (1 or windows, heads, L, L)."""
        if tile.pattern is None:
            return self.added[:1]
        return self.added.index_select(0, tile.pattern)

    def heads(self, rows, parts):
        """View rows (windows*L, parts*C) as (parts, windows, heads, L, C/heads)."""
        heads, length = self.added.shape[1:3]
        dims = rows.shape[1] // (parts * heads)
        return rows.view(-1, length, parts, heads, dims).permute(2, 0, 3, 1, 4)


def _joined(heads: Tensor) -> Tensor:
    """Put (windows, heads, L, dims) together as rows (windows*L, C)."""
    windows, count, length, dims = heads.shape
    return heads.transpose(1, 2).reshape(windows * length, count * dims)


def _inside(rows: Tensor, tile: WindowTile) -> Tensor:
    """Those rows of the positions of a tile that are no padding."""
    return rows if tile.padding is None else rows.index_select(0, tile.inside)


def _with_padding(rows: Tensor, tile: WindowTile) -> Tensor:
    """Rows at the positions of a tile, those of padding 0."""
    if tile.padding is None:
        return rows
    padded = rows.new_zeros(len(rows) + len(tile.padding), rows.shape[1])
    return padded.index_copy_(0, tile.inside, rows)
