"""Fusion whose attention projects tokens in place of positions, which are many more."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from glip.models.layers import fusion
from glip.ops import recomputed
from glip.ops.cpu import absorbed_bi_attention, takes_absorbed_form


class BiMultiHeadAttention(fusion.BiMultiHeadAttention):
    """As the plain one, by the absorbed form of :mod:`glip.ops.cpu` where that pays."""

    def absorbs(self, levels: Sequence[Tensor], l: Tensor) -> bool:  # noqa: E741
        """Whether the absorbed form is taken for such inputs."""
        return takes_absorbed_form(levels[0], l, self.projections, self.num_heads)

    def forward(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
        mask: Tensor | None,
        scale: Tensor,
        *,
        recompute: bool = False,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Attend from positions to words and from words to positions.

        Args:
            levels: Positions, shape (B, N, v_dim) each; without gradients they may be
                overwritten.
            l: Tokens, shape (B, T, l_dim).
            mask: True where a token is real, shape (B, T); None if all are.
            scale: Layer scale of the positions, shape (v_dim,) or (B, v_dim).
            recompute: See :func:`glip.ops.cpu.absorbed_bi_attention`.

        Returns:
            The levels plus their scaled updates, and the update of the tokens.
        """
        if not self.absorbs(levels, l):
            return super().forward(levels, l, mask, scale)
        return absorbed_bi_attention(
            levels,
            l,
            mask,
            self.projections,
            num_heads=self.num_heads,
            scale=scale,
            dropout=self.dropout if self.training else 0.0,
            recompute=recompute,
        )


class BiAttention(fusion.BiAttention):
    """As :class:`glip.models.layers.BiAttention`, keeping less for gradients."""

    attn: BiMultiHeadAttention

    def forward(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
        mask: Tensor | None,
        *,
        recompute: bool = False,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Fuse positions (B, N, v_dim) per level with tokens (B, T, l_dim)."""
        if not self.attn.absorbs(levels, l):
            return super().forward(levels, l, mask, recompute=recompute)
        normed, words, scale = self._normed(levels, l)
        keeping: AbstractContextManager[None] = nullcontext()
        if torch.is_grad_enabled():
            # The norms, made again in no time, are the most that would be kept.
            keeping = recomputed(normed, lambda i: self.layer_norm_v(levels[i]))
        with keeping:
            fused, delta = self.attn(normed, words, mask, scale, recompute=recompute)
        return fused, self._updated(words, delta)
