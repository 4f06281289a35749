"""Attention within shifted windows, with its norm and residual, tile by tile.

The first half of a block of Swin (arXiv 2103.14030, section 3.2). Maps are not padded,
rolled and cut as a whole: a tile gathers the pixels of some windows, and what is
computed of them stays in the cache. For the backward pass the input is kept and, unless
memory is short, queries, keys and values; the rest is computed again.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .linear import linear
from .tiles import row_factors
from .windows import WindowTile, shift_patterns, window_tiles


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
        recompute: Compute queries, keys and values again in the backward pass.
    """

    window: int
    shift: int
    scale: float
    eps: float
    recompute: bool = False


def tiled_window_attention(
    x: Tensor,
    weights: AttentionWeights,
    windows: AttentionWindows,
    kept: Tensor | None = None,
) -> Tensor:
    """Multi-head self-attention of the layer-normed map in windows, added to the map.

    Args:
        x: Map on the CPU, shape (B, H, W, C).
        weights: What trains.
        windows: How it is done.
        kept: What is added to a map is multiplied by this (stochastic depth), shape
            (B,), or None for 1. Where all are 0 nothing is computed.

    Returns:
        Shape (B, H, W, C).
    """
    if torch.is_grad_enabled():
        return _TiledWindowAttention.apply(windows, kept, x, *weights)
    return _attend(windows, kept, x, weights)[0]


def _attend(
    windows: AttentionWindows,
    kept: Tensor | None,
    x: Tensor,
    weights: AttentionWeights,
    keep: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """The result, and queries, keys and values of each tile if they are kept."""
    products: list[Tensor] = []
    if kept is not None and not kept.any():
        return x.clone(), products
    rows, factor = x.reshape(-1, x.shape[-1]), row_factors(kept, x)
    out = torch.empty_like(rows)
    patterns = _score_patterns(weights.position_bias, windows)
    for tile in window_tiles(*x.shape[:3], windows.window, windows.shift):
        pixels = rows.index_select(0, tile.rows)
        normed, *_ = _norm(pixels, weights, windows.eps)
        qkv = _queries_keys_values(normed, tile, weights)
        if keep:
            products.append(qkv)
        q, k, v = _heads(qkv, patterns, 3)
        mixed = _rows(
            F.scaled_dot_product_attention(
                q, k, v, attn_mask=_of_tile(patterns, tile), scale=windows.scale
            )
        )
        added = linear(_inside(mixed, tile), weights.proj_weight, weights.proj_bias)
        if factor is not None:
            added *= factor.index_select(0, tile.rows)
        out.index_copy_(0, tile.rows, added.add_(pixels))
    return out.view(x.shape), products


class _TiledWindowAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, windows, kept, x, *tensors):
        weights = AttentionWeights(*tensors)
        keep = any(ctx.needs_input_grad) and not windows.recompute
        out, products = _attend(windows, kept, x, weights, keep)
        ctx.windows = windows
        ctx.save_for_backward(kept, x, *tensors, *products)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        kept, x, *tensors = ctx.saved_tensors
        count = len(AttentionWeights._fields)
        weights, products = AttentionWeights(*tensors[:count]), tensors[count:]
        grads = AttentionWeights(
            *(None if t is None else torch.zeros_like(t) for t in weights)
        )
        if kept is not None and not kept.any():
            return None, None, grad, *grads
        grad_x = _backward(ctx.windows, kept, x, weights, products, grad, grads)
        return None, None, grad_x, *grads


def _backward(windows, kept, x, weights, products, grad, grads) -> Tensor:
    """Gradient of the map; those of the weights are added to ``grads``."""
    rows, factor = x.reshape(-1, x.shape[-1]), row_factors(kept, x)
    grad = grad.reshape(rows.shape)
    grad_rows = grad.clone()
    patterns = _score_patterns(weights.position_bias, windows)
    # oneDNN reads transposed weights slowly.
    from_proj = weights.proj_weight.t().contiguous()
    from_qkv = weights.qkv_weight.t().contiguous()
    tiles = window_tiles(*x.shape[:3], windows.window, windows.shift)
    for number, tile in enumerate(tiles):
        pixels = rows.index_select(0, tile.rows)
        normed, mean, rstd = _norm(pixels, weights, windows.eps)
        if products:
            qkv = products[number]
        else:
            qkv = _queries_keys_values(normed, tile, weights)
        q, k, v = _heads(qkv, patterns, 3).contiguous()
        probs = _probabilities(q, k, _of_tile(patterns, tile), windows.scale)

        grad_added = grad.index_select(0, tile.rows)
        if factor is not None:
            grad_added *= factor.index_select(0, tile.rows)
        mixed = _inside(_rows(probs @ v), tile)
        grads.proj_weight.addmm_(grad_added.t(), mixed)
        grads.proj_bias.add_(grad_added.sum(0))
        grad_mixed = linear(grad_added, from_proj)
        if tile.inside is not None:
            padded = grad_mixed.new_zeros(len(qkv), grad_mixed.shape[1])
            grad_mixed = padded.index_copy_(0, tile.inside, grad_mixed)
        (grad_mixed,) = _heads(grad_mixed, patterns, 1).contiguous()

        grad_qkv = torch.empty_like(qkv)
        grad_q, grad_k, grad_v = _heads(grad_qkv, patterns, 3)
        grad_v.copy_(probs.mT @ grad_mixed)
        grad_scores = torch.ops.aten._softmax_backward_data(
            grad_mixed @ v.mT, probs, -1, probs.dtype
        )
        grads.position_bias.add_(grad_scores.sum(0))
        grad_scores *= windows.scale
        grad_q.copy_(grad_scores @ k)
        grad_k.copy_(grad_scores.mT @ q)

        if grads.qkv_bias is not None:
            grads.qkv_bias.add_(grad_qkv.sum(0))
        grad_qkv = _inside(grad_qkv, tile)
        grads.qkv_weight.addmm_(grad_qkv.t(), normed)
        grad_pixels, grad_weight, grad_bias = torch.ops.aten.native_layer_norm_backward(
            linear(grad_qkv, from_qkv),
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
        grad_rows.index_add_(0, tile.rows, grad_pixels)
    return grad_rows.view(x.shape)


def _norm(
    pixels: Tensor, weights: AttentionWeights, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Layer norm, means and inverse deviations."""
    return torch.native_layer_norm(
        pixels, pixels.shape[1:], weights.norm_weight, weights.norm_bias, eps
    )


def _queries_keys_values(
    normed: Tensor, tile: WindowTile, weights: AttentionWeights
) -> Tensor:
    """Queries, keys and values at all positions of a tile; padding is 0 when normed."""
    qkv = linear(normed, weights.qkv_weight, weights.qkv_bias)
    if tile.inside is None:
        return qkv
    padded = qkv.new_zeros(tile.positions, qkv.shape[1])
    if weights.qkv_bias is not None:
        padded += weights.qkv_bias
    return padded.index_copy_(0, tile.inside, qkv)


def _inside(rows: Tensor, tile: WindowTile) -> Tensor:
    """Those rows of a tile that are no padding."""
    return rows if tile.inside is None else rows.index_select(0, tile.inside)


def _score_patterns(bias: Tensor, windows: AttentionWindows) -> Tensor:
    """What is added to scores, (1, heads, L, L), or with the patterns of a shift 4."""
    bias = bias.detach()[None]
    if not windows.shift:
        return bias
    return bias + shift_patterns(windows.window, windows.shift)[:, None].to(bias)


def _of_tile(patterns: Tensor, tile: WindowTile) -> Tensor:
    if tile.pattern is None:
        return patterns[:1]
    return patterns.index_select(0, tile.pattern)


def _probabilities(q: Tensor, k: Tensor, added: Tensor, scale: float) -> Tensor:
    """Softmax of the scores, (windows, heads, L, L)."""
    added = added.expand(*q.shape[:2], -1, -1).flatten(0, 1)
    scores = torch.baddbmm(added, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=scale)
    return torch.softmax(scores, -1).view(*q.shape[:3], -1)


def _heads(rows: Tensor, patterns: Tensor, parts: int) -> Tensor:
    """View rows (windows*L, parts*C) as (parts, windows, heads, L, C/heads)."""
    heads, length = patterns.shape[1:3]
    dims = rows.shape[1] // (parts * heads)
    return rows.view(-1, length, parts, heads, dims).permute(2, 0, 3, 1, 4)


def _rows(mixed: Tensor) -> Tensor:
    """Put (windows, heads, L, dims) together as (windows*L, C)."""
    windows, heads, length, dims = mixed.shape
    return mixed.transpose(1, 2).reshape(windows * length, heads * dims)
