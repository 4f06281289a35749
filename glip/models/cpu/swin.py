"""Blocks of Swin that go over their maps in tiles that fit a cache."""

from typing import Any, cast

from torch import Tensor

from glip.models.backbones import swin_blocks as swin
from glip.ops.cpu import (
    AttentionWeights,
    AttentionWindows,
    FeedForwardWeights,
    linear,
    tiled_feed_forward,
    tiled_window_attention,
    works_in_tiles,
)


class SwinBlock(swin.SwinBlock):
    """As the plain one, by :mod:`glip.ops.cpu.window_attention`; without dropout."""

    def forward(self, x: Tensor) -> Tensor:
        """Map x of shape (B, H, W, C) to the same shape."""
        attention, ffn = self.attn.w_msa, cast(Any, self.ffn.layers)
        drops = self.training and max(attention.attn_drop, attention.proj_drop.p)
        if drops or not works_in_tiles(x):
            return super().forward(x)
        qkv, proj, into, out = attention.qkv, attention.proj, ffn[0][0], ffn[1]
        x = tiled_window_attention(
            x,
            AttentionWeights(
                *(self.norm1.weight, self.norm1.bias, qkv.weight, qkv.bias),
                *(attention.position_bias(), proj.weight, proj.bias),
            ),
            AttentionWindows(
                self.attn.window,
                self.attn.shift,
                attention.scale,
                self.norm1.eps,
            ),
            self._depth_factors(x),
            recompute=self.with_cp,
        )
        return tiled_feed_forward(
            x,
            FeedForwardWeights(
                *(self.norm2.weight, self.norm2.bias, into.weight, into.bias),
                *(out.weight, out.bias),
            ),
            self._depth_factors(x),
            eps=self.norm2.eps,
            recompute=self.with_cp,
            overwrite=True,
        )

    def _depth_factors(self, x: Tensor) -> Tensor | None:
        """What stochastic depth multiplies each map with, (B, 1, 1, 1)."""
        if not (self.training and self.drop_path.p):
            return None
        return self.drop_path(x.new_ones(len(x), 1, 1, 1))


class PatchMerging(swin.PatchMerging):
    """As the plain one, by :func:`glip.ops.cpu.linear`."""

    def _project(self, x: Tensor, weight: Tensor) -> Tensor:
        return linear(x, weight)
