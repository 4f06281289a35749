"""Attention both ways between positions and tokens.

Paper section 3.2, eq. 4-6: positions read from tokens, and tokens from positions, by
one similarity of both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

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
