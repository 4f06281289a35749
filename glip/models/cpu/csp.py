"""Convolutions of the small backbone with weights that are laid out once."""

from typing import cast

from torch import Tensor, nn

from glip.models.backbones import csp
from glip.ops.cpu.packed_convolution import packed_conv2d, packing_applies


class LeakyConv(csp.LeakyConv):
    """As the plain one, by :mod:`glip.ops.cpu.packed_convolution`."""

    def forward(self, input: Tensor) -> Tensor:
        """Picture (B, C, H, W) to (B, out_channels, h, w)."""
        conv, activation = cast(nn.Conv2d, self[0]), cast(nn.LeakyReLU, self[1])
        if not packing_applies(input, conv.weight):
            return super().forward(input)
        return packed_conv2d(input, conv, activation.negative_slope)
