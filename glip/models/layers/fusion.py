"""Bi-directional cross-attention between picture and words (GLIP's X-MHA)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip.models.language import TextFeatures
from glip.models.module import Module
from glip.models.stochastic_depth import StochasticDepth
from glip.ops import BiProjections, plain_bi_attention


class BiMultiHeadAttention(Module):
    """Attention read both ways from one similarity (paper section 3.2, eq. 4-6).

    Args:
        v_dim: Channels of the picture's positions.
        l_dim: Channels of the tokens.
        embed_dim: Channels in which they are compared, over all heads.
        num_heads: Heads.
        dropout: Rate on the attention probabilities, in training.
    """

    def __init__(
        self,
        *,
        v_dim: int,
        l_dim: int,
        embed_dim: int = 2048,
        num_heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f'embed_dim {embed_dim} is not a multiple of {num_heads}')
        self.num_heads, self.dropout = num_heads, dropout
        self.v_proj = nn.Linear(v_dim, embed_dim)
        self.l_proj = nn.Linear(l_dim, embed_dim)
        self.values_v_proj = nn.Linear(v_dim, embed_dim)
        self.values_l_proj = nn.Linear(l_dim, embed_dim)
        self.out_v_proj = nn.Linear(embed_dim, v_dim)
        self.out_l_proj = nn.Linear(embed_dim, l_dim)
        for layer in self.children():
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def projections(self) -> BiProjections:
        """Weights of the linear maps."""
        layers = (
            self.v_proj,
            self.l_proj,
            self.values_v_proj,
            self.values_l_proj,
            self.out_v_proj,
            self.out_l_proj,
        )
        return BiProjections(*((layer.weight, layer.bias) for layer in layers))

    def forward(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
        mask: Tensor | None,
        scale: Tensor,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Attend from positions to words and from words to positions.

        Args:
            levels: Positions, shape (B, N, v_dim) each.
            l: Tokens, shape (B, T, l_dim).
            mask: True where a token is real, shape (B, T); None if all are.
            scale: Layer scale of the positions, shape (v_dim,) or (B, v_dim).

        Returns:
            The levels plus their scaled updates, and the update of the tokens.
        """
        return plain_bi_attention(
            levels,
            l,
            mask,
            self.projections,
            num_heads=self.num_heads,
            scale=scale,
            dropout=self.dropout if self.training else 0.0,
        )


class BiAttention(Module):
    """Pre-norm, attention, layer scale; the residual is the *normed* input.

    That residual is a quirk of the original which its weights depend on.

    Args:
        v_dim: Channels of the picture.
        l_dim: Channels of the tokens.
        init_values: Initial layer scale, one over the number of blocks.
        drop_path: Stochastic depth rate.
        attention: Fields of :class:`BiMultiHeadAttention`.
    """

    def __init__(
        self,
        *,
        v_dim: int,
        l_dim: int,
        init_values: float,
        drop_path: float = 0.0,
        **attention,
    ) -> None:
        super().__init__()
        self.layer_norm_v = nn.LayerNorm(v_dim)
        self.layer_norm_l = nn.LayerNorm(l_dim)
        self.attn = BiMultiHeadAttention(v_dim=v_dim, l_dim=l_dim, **attention)
        self.gamma_v = nn.Parameter(torch.full((v_dim,), float(init_values)))
        self.gamma_l = nn.Parameter(torch.full((l_dim,), float(init_values)))
        self.drop_path = StochasticDepth(drop_path)

    def forward(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
        mask: Tensor | None,
        *,
        recompute: bool = False,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """Fuse positions (B, N, v_dim) per level with tokens (B, T, l_dim).

        Args:
            levels: Positions.
            l: Tokens.
            mask: True where a token is real, shape (B, T); None if all are.
            recompute: Keep little for the backward pass.

        Returns:
            Both, updated.
        """
        if recompute:
            return checkpoint(self._fuse, levels, l, mask, use_reentrant=False)
        return self._fuse(levels, l, mask)

    def _fuse(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
        mask: Tensor | None,
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        normed, words, scale = self._normed(levels, l)
        fused, delta = self.attn(normed, words, mask, scale)
        return fused, self._updated(words, delta)

    def _normed(
        self,
        levels: Sequence[Tensor],
        l: Tensor,  # noqa: E741
    ) -> tuple[tuple[Tensor, ...], Tensor, Tensor]:
        """Normed positions and tokens, and the layer scale of positions (B, v_dim)."""
        normed = tuple(self.layer_norm_v(level) for level in levels)
        # Stochastic depth drops whole updates, which a scale of zero does as well.
        scale = self.gamma_v * self.drop_path(self.gamma_v.new_ones(len(l), 1))
        return normed, self.layer_norm_l(l), scale

    def _updated(self, words: Tensor, delta: Tensor) -> Tensor:
        """Normed tokens plus their scaled update."""
        return words + self.drop_path(self.gamma_l * delta)


class VLFuse(Module):
    """Fuse all pyramid levels with the tokens in one attention.

    Args:
        use_checkpoint: Recompute in the backward pass to save memory.
        attention: Fields of :class:`BiAttention`.
    """

    def __init__(self, *, use_checkpoint: bool = False, **attention) -> None:
        super().__init__()
        self.use_checkpoint = use_checkpoint
        self.b_attn = BiAttention(**attention)

    def forward(
        self, visual: tuple[Tensor, ...], text: TextFeatures
    ) -> tuple[tuple[Tensor, ...], TextFeatures]:
        """Maps (B, C, H, W) per level and tokens, to updated maps and tokens."""
        # Maps whose channels lie together (channels_last) are rows already.
        rows = tuple(level.flatten(2).transpose(1, 2) for level in visual)
        rows, hidden = self.b_attn(
            rows,
            text.hidden,
            text.attention_mask,
            recompute=self.use_checkpoint and self.training,
        )
        visual = tuple(
            row.transpose(1, 2).unflatten(2, level.shape[2:])
            for row, level in zip(rows, visual, strict=True)
        )
        return visual, TextFeatures(hidden, text.embedded, text.mask, text.padded)
