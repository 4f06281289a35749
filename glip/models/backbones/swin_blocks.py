"""Blocks of Swin Transformer (arXiv 2103.14030) with mmdet's parameter names."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip.models.module import Module
from glip.models.stochastic_depth import StochasticDepth
from glip.ops import shift_mask


def _relative_position_index(window: int) -> Tensor:
    """Row of the bias table for each pair of window positions, (w*w, w*w)."""
    axis = torch.arange(window)
    pos = torch.stack(torch.meshgrid(axis, axis, indexing='ij')).flatten(1)
    delta = pos[:, :, None] - pos[:, None, :] + window - 1
    return delta[0] * (2 * window - 1) + delta[1]


def _cropped(x: Tensor, height: int, width: int) -> Tensor:
    """The upper left part of maps (B, H, W, C).

    A compiler would compare strides of a view, and so compile maps with and without
    padding each on its own; it merges the copy with what follows.
    """
    x = x[:, :height, :width]
    if torch.compiler.is_compiling():
        return x.clone(memory_format=torch.contiguous_format)
    return x


class WindowAttention(Module):
    """Multi-head self-attention within a window, with relative position bias."""

    relative_position_index: Tensor

    def __init__(
        self,
        dims: int,
        *,
        num_heads: int,
        window: int,
        qkv_bias: bool,
        scale: float | None,
        attn_drop: float,
        drop: float,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = scale or (dims // num_heads) ** -0.5
        self.attn_drop = attn_drop
        self.relative_position_bias_table = nn.Parameter(
            torch.zeros((2 * window - 1) ** 2, num_heads)
        )
        self.register_buffer(
            'relative_position_index', _relative_position_index(window)
        )
        self.qkv = nn.Linear(dims, dims * 3, bias=qkv_bias)
        self.proj = nn.Linear(dims, dims)
        self.proj_drop = nn.Dropout(drop)
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def position_bias(self) -> Tensor:
        """What each head adds to the score of two positions, (heads, w*w, w*w)."""
        bias = self.relative_position_bias_table[self.relative_position_index]
        return bias.permute(2, 0, 1).contiguous()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Attend within windows: x (B*windows, w*w, C), mask (windows, w*w, w*w)."""
        count, length, dims = x.shape
        qkv = self.qkv(x).view(count, length, 3, self.num_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        bias = self.position_bias()[None]
        if mask is not None:
            bias = bias + mask[:, None].to(bias)
            bias = bias.repeat(count // mask.shape[0], 1, 1, 1)
        x = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=bias.to(q.dtype),
            dropout_p=self.attn_drop if self.training else 0.0,
            scale=self.scale,
        )
        x = x.transpose(1, 2).reshape(count, length, dims)
        return self.proj_drop(self.proj(x))


class ShiftedWindows(Module):
    """Cut a map into windows, optionally shifted, attend, and put it together.

    Args:
        attention: Of the positions of a window.
        window: Side of a window in positions.
        shift: Positions that windows are moved down and to the right.
    """

    def __init__(self, attention: WindowAttention, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.w_msa = attention

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (B, H, W, C) to the same shape."""
        batch, height, width, dims = x.shape
        w = self.window
        # Of sizes in this form a compiler knows that the padded map divides by w. Not
        # of -(-height // w): ONNX divides whole numbers towards zero.
        rows, columns = (height + w - 1) // w, (width + w - 1) // w
        x = F.pad(x, (0, 0, 0, columns * w - width, 0, rows * w - height))
        mask = None
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
            mask = shift_mask(rows, columns, w, self.shift, x.device)
        x = x.view(batch, rows, w, columns, w, dims).transpose(2, 3)
        x = self.w_msa(x.reshape(-1, w * w, dims), mask)
        x = x.view(batch, rows, columns, w, w, dims).transpose(2, 3)
        x = x.reshape(batch, rows * w, columns * w, dims)
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        return _cropped(x, height, width)


class FeedForward(Module):
    """Two linear layers with GELU; named as mmcv's FFN for its weights' sake."""

    def __init__(self, dims: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(dims, hidden), nn.GELU(), nn.Dropout(drop)),
            nn.Linear(hidden, dims),
            nn.Dropout(drop),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class SwinBlock(Module):
    """Pre-norm attention and feed-forward with stochastic depth.

    Args:
        dims: Channels.
        num_heads: Attention heads.
        window: Side of a window in positions.
        shift: Positions that windows are moved down and to the right.
        mlp_ratio: Channels within the feed-forward, as a multiple.
        qkv_bias: Queries, keys and values have a bias.
        scale: Of the products of queries and keys; None for one over the root of the
            channels of a head.
        attn_drop: Dropout of attention probabilities.
        drop: Dropout of projections.
        drop_path: Rate of stochastic depth.
        with_cp: Recompute in the backward pass to save memory.
    """

    def __init__(
        self,
        dims: int,
        *,
        num_heads: int,
        window: int,
        shift: int = 0,
        mlp_ratio: float = 4,
        qkv_bias: bool = True,
        scale: float | None = None,
        attn_drop: float = 0.0,
        drop: float = 0.0,
        drop_path: float = 0.0,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.with_cp = with_cp
        self.norm1 = nn.LayerNorm(dims)
        attention = WindowAttention(
            dims,
            num_heads=num_heads,
            window=window,
            qkv_bias=qkv_bias,
            scale=scale,
            attn_drop=attn_drop,
            drop=drop,
        )
        self.attn = ShiftedWindows(attention, window, shift)
        self.norm2 = nn.LayerNorm(dims)
        self.ffn = FeedForward(dims, int(dims * mlp_ratio), drop)
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (B, H, W, C) to the same shape."""
        if self.with_cp and self.training:
            return checkpoint(self._forward, x, use_reentrant=False)
        return self._forward(x)

    def _forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.ffn(self.norm2(x)))


class PatchMerging(Module):
    """Halve a map: each 2x2 patch becomes one position of twice the channels."""

    def __init__(self, dims: int, norm: bool = True) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dims) if norm else None
        self.reduction = nn.Linear(4 * dims, 2 * dims, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, ceil(H/2), ceil(W/2), 2C)."""
        x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        batch, height, width, dims = x.shape
        x = x.view(batch, height // 2, 2, width // 2, 2, dims).transpose(2, 3)
        x = x.reshape(batch, height // 2, width // 2, 4 * dims)

        # The weights have the order of nn.Unfold: pixels of a patch within a channel.
        # Turning them round is cheaper than turning the map.
        def turned(tensor: Tensor) -> Tensor:
            parts = tensor.view(*tensor.shape[:-1], dims, 4)
            return parts.transpose(-1, -2).flatten(-2)

        if self.norm is not None:
            weight, bias = turned(self.norm.weight), turned(self.norm.bias)
            x = F.layer_norm(x, weight.shape, weight, bias, self.norm.eps)
        return self._project(x, turned(self.reduction.weight))

    def _project(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.linear(x, weight)


class SwinStage(Module):
    """Blocks at one resolution and the merging that leads to the next one."""

    def __init__(
        self, blocks: Sequence[SwinBlock], downsample: PatchMerging | None
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class PatchEmbed(Module):
    """Non-overlapping patches projected to vectors, (B, 3, H, W) -> (B, h, w, C)."""

    def __init__(self, in_channels: int, dims: int, patch: int, norm: bool) -> None:
        super().__init__()
        self.patch = patch
        self.projection = nn.Conv2d(in_channels, dims, patch, stride=patch)
        self.norm = nn.LayerNorm(dims) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, -x.shape[3] % self.patch, 0, -x.shape[2] % self.patch))
        # In this layout the convolution gives rows of channels, and faster.
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.projection(x).permute(0, 2, 3, 1).contiguous()
        return x if self.norm is None else self.norm(x)
