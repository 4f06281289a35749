"""Bi-directional cross-attention between picture and words (GLIP's X-MHA)."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.ops import StochasticDepth

from glip.models.language import TextFeatures


class BiMultiHeadAttention(BaseModule):
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

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)

    def forward(self, v: Tensor, l: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
        """Attend from pixels to words and from words to pixels.

        Args:
            v: Positions, shape (B, N, v_dim).
            l: Tokens, shape (B, T, l_dim).
            mask: True where a token is real, shape (B, T).

        Returns:
            Updates of shapes (B, N, v_dim) and (B, T, l_dim).
        """
        q, k = self._heads(self.v_proj(v)), self._heads(self.l_proj(l))
        drop = self.dropout if self.training else 0.0
        # Both directions are computed blockwise: no N x T matrix is kept.
        out_v = F.scaled_dot_product_attention(
            q,
            k,
            self._heads(self.values_l_proj(l)),
            attn_mask=mask[:, None, None, :],
            dropout_p=drop,
        )
        out_l = F.scaled_dot_product_attention(
            k, q, self._heads(self.values_v_proj(v)), dropout_p=drop
        )
        out_v = self.out_v_proj(out_v.transpose(1, 2).flatten(2))
        out_l = self.out_l_proj(out_l.transpose(1, 2).flatten(2))
        return out_v, out_l


class BiAttention(BaseModule):
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
        self.drop_path = StochasticDepth(drop_path, 'row')

    def forward(self, v: Tensor, l: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
        v, l = self.layer_norm_v(v), self.layer_norm_l(l)  # noqa: E741
        delta_v, delta_l = self.attn(v, l, mask)
        return (
            v + self.drop_path(self.gamma_v * delta_v),
            l + self.drop_path(self.gamma_l * delta_l),
        )


class VLFuse(BaseModule):
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
        sizes = [level.shape[2:] for level in visual]
        v = torch.cat([level.flatten(2) for level in visual], 2).transpose(1, 2)
        if self.use_checkpoint and self.training:
            v, hidden = checkpoint(
                self.b_attn, v, text.hidden, text.mask, use_reentrant=False
            )
        else:
            v, hidden = self.b_attn(v, text.hidden, text.mask)
        counts = [h * w for h, w in sizes]
        levels = v.transpose(1, 2).split(counts, dim=2)
        visual = tuple(
            level.unflatten(2, tuple(size)).contiguous()
            for level, size in zip(levels, sizes, strict=True)
        )
        return visual, TextFeatures(hidden, text.embedded, text.mask)
