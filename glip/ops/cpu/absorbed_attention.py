"""Attention both ways that projects tokens in place of positions, which are many more.

The reference form is :func:`glip.ops.plain_bi_attention`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from glip.ops.bi_attention import BiProjections, Projection
from glip.ops.cpu.linear import linear, product_per_head
from glip.ops.cpu.tiled_attention import tiled_attention
from glip.ops.plain import is_plain


def takes_absorbed_form(
    level: Tensor, tokens: Tensor, projections: BiProjections, num_heads: int
) -> bool:
    """Whether the absorbed form is the faster one.

    It is on the CPU, in float32 and float64, where it takes fewer operations; under
    autocast without gradients. On a GPU the kernels of the plain form keep scores in
    registers.
    """
    if torch.is_autocast_enabled('cpu'):
        in_its_types = not torch.is_grad_enabled()
    else:
        in_its_types = level.dtype is tokens.dtype and level.dtype.itemsize >= 4
    return (
        level.device.type == 'cpu'
        and not is_plain()
        and not torch.compiler.is_compiling()
        and in_its_types
        and absorption_pays(
            level.shape[2], len(projections.query[0]), num_heads, tokens.shape[1]
        )
    )


def absorption_pays(channels: int, embed_dim: int, heads: int, tokens: int) -> bool:
    """Whether the absorbed form multiplies less per position.

    It makes three products of ``channels`` with ``heads * tokens``; the plain form
    three projections, and four products of ``embed_dim`` with ``tokens``.
    """
    absorbed = 3 * channels * heads * tokens
    return absorbed < 3 * channels * embed_dim + 4 * embed_dim * tokens


def absorbed_bi_attention(
    levels: Sequence[Tensor],
    tokens: Tensor,
    mask: Tensor | None,
    projections: BiProjections,
    *,
    num_heads: int,
    scale: Tensor,
    dropout: float = 0.0,
    recompute: bool = False,
) -> tuple[tuple[Tensor, ...], Tensor]:
    """As :func:`glip.ops.plain_bi_attention`, positions left unprojected for tokens.

    A product of a projected position with a key is one of the position itself with
    the key under the transposed projection; and a mean of projected positions is the
    projected mean. So no position is projected, nor is what it has read: that is done
    to the tokens, which are few, beforehand. Equal to the plain form up to the order
    of float additions.

    The caller has no more use for the levels: without gradients they may be
    overwritten. With ``recompute`` what is done to tokens is computed again in the
    backward pass, for which little else is kept.
    """

    def keep_little(function: Callable, *inputs) -> Any:
        if recompute and torch.is_grad_enabled():
            return checkpoint(function, *inputs, use_reentrant=False)
        return function(*inputs)

    def per_head(weight: Tensor) -> Tensor:
        return weight.unflatten(0, (num_heads, -1))

    def heads(projection: Projection) -> Tensor:
        return linear(tokens, *projection).unflatten(2, (num_heads, -1)).transpose(1, 2)

    out_weight, out_bias = projections.out_v
    scale = scale.unsqueeze(-2)  # broadcasts over tokens and positions
    out_bias = out_bias * scale

    def to_read() -> tuple[Tensor, Tensor, Tensor]:
        query_weight, query_bias = map(per_head, projections.query)
        keys = heads(projections.key)
        keys = keys * keys.shape[-1] ** -0.5
        bias = (keys @ query_bias.unsqueeze(-1)).squeeze(-1)
        if mask is not None:
            bias = bias.masked_fill(~mask.unsqueeze(1), -1e30)
        values = heads(projections.value_l)
        values = product_per_head(values, per_head(out_weight.t()))
        values = values * scale.unsqueeze(-3)
        if not dropout:  # the probabilities of a head sum to one
            values = values + out_bias.unsqueeze(-3) / num_heads
        return product_per_head(keys, query_weight), bias, values

    def from_read(means: Tensor, mass: Tensor) -> Tensor:
        value_weight, value_bias = map(per_head, projections.value_v)
        read = product_per_head(means, value_weight.mT)
        read = read + mass.unsqueeze(-1) * value_bias.unsqueeze(-2)
        return linear(read.transpose(1, 2).flatten(2), *projections.out_l)

    keys, bias, values = keep_little(to_read)
    if torch.is_autocast_enabled('cpu'):  # products in half precision, the rest wide
        levels, bias = [level.float() for level in levels], bias.float()
        values = values.to(keys.dtype)
    outs, means, mass = tiled_attention(levels, keys, bias, values, dropout)
    if dropout:
        outs = tuple(level + out_bias for level in outs)
    return outs, keep_little(from_read, means, mass)
