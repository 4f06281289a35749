"""Attention both ways between positions and tokens: two forms, and which one to take.

Paper section 3.2, eq. 4-6: positions read from tokens, and tokens from positions, by
one similarity of both.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from glip.ops.cpu.tiled_attention import tiled_attention
from glip.ops.linear import linear
from glip.ops.plain import is_plain

Projection = tuple[Tensor, Tensor]


class BiProjections(NamedTuple):
    """Weight and bias of each linear map; E channels hold those of all heads.

    Attributes:
        query: Positions, C channels, to E.
        key: Tokens, D channels, to E.
        value_v: Positions to E, which tokens read.
        value_l: Tokens to E, which positions read.
        out_v: What positions have read, E, to C.
        out_l: What tokens have read, E, to D.
    """

    query: Projection
    key: Projection
    value_v: Projection
    value_l: Projection
    out_v: Projection
    out_l: Projection


def takes_absorbed_form(
    level: Tensor, tokens: Tensor, projections: BiProjections, num_heads: int
) -> bool:
    """Whether the absorbed form is the faster one.

    It is on the CPU, in float32 and float64, where it takes fewer operations. On a GPU
    the kernels of the plain form keep scores in registers.
    """
    return (
        level.device.type == 'cpu'
        and not is_plain()
        and not torch.compiler.is_compiling()
        and not torch.is_autocast_enabled('cpu')
        and level.dtype is tokens.dtype
        and level.dtype in (torch.float32, torch.float64)
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


def plain_bi_attention(
    levels: Sequence[Tensor],
    tokens: Tensor,
    mask: Tensor | None,
    projections: BiProjections,
    *,
    num_heads: int,
    scale: Tensor,
    dropout: float = 0.0,
) -> tuple[tuple[Tensor, ...], Tensor]:
    """Update positions and tokens by what they read from each other.

    As the paper writes it. ``scaled_dot_product_attention`` goes over both directions
    in blocks where the device has a kernel that does; no positions x tokens matrix is
    kept then.

    Args:
        levels: Positions, shape (B, N, C) each, of which tokens see all together.
        tokens: Shape (B, T, D).
        mask: True where a token is real, shape (B, T); None if all are.
        projections: The linear maps.
        num_heads: Heads.
        scale: Factor of the update of the positions, shape (C,) or (B, C).
        dropout: Rate on the probabilities of both directions.

    Returns:
        The levels plus their scaled updates, and the update of the tokens (B, T, D),
        which is arbitrary where a token is not real.
    """
    positions = torch.cat(tuple(levels), 1)

    def heads(x: Tensor, projection: Projection) -> Tensor:
        return F.linear(x, *projection).unflatten(2, (num_heads, -1)).transpose(1, 2)

    q, k = heads(positions, projections.query), heads(tokens, projections.key)
    read_v = F.scaled_dot_product_attention(
        q,
        k,
        heads(tokens, projections.value_l),
        attn_mask=None if mask is None else mask[:, None, None],
        dropout_p=dropout,
    )
    read_l = F.scaled_dot_product_attention(
        k, q, heads(positions, projections.value_v), dropout_p=dropout
    )
    update_v = F.linear(read_v.transpose(1, 2).flatten(2), *projections.out_v)
    update_l = F.linear(read_l.transpose(1, 2).flatten(2), *projections.out_l)
    positions = positions + update_v * scale.unsqueeze(-2)
    return positions.split([level.shape[1] for level in levels], 1), update_l


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
    """As :func:`plain_bi_attention`, with projections of positions moved to tokens.

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
        values = heads(projections.value_l) @ per_head(out_weight.t())
        values = values * scale.unsqueeze(-3)
        if not dropout:  # the probabilities of a head sum to one
            values = values + out_bias.unsqueeze(-3) / num_heads
        return keys @ query_weight, bias, values

    def from_read(means: Tensor, mass: Tensor) -> Tensor:
        value_weight, value_bias = map(per_head, projections.value_v)
        read = means @ value_weight.mT
        read = read + mass.unsqueeze(-1) * value_bias.unsqueeze(-2)
        return linear(read.transpose(1, 2).flatten(2), *projections.out_l)

    keys, bias, values = keep_little(to_read)
    outs, means, mass = tiled_attention(levels, keys, bias, values, dropout)
    if dropout:
        outs = tuple(level + out_bias for level in outs)
    return outs, keep_little(from_read, means, mass)
