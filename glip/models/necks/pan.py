"""Path aggregation without strided convolutions."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from glip.models.backbones.csp import LeakyConv
from glip.models.module import Module
from glip.registry import MODELS


def _resized_like(x: Tensor, reference: Tensor) -> Tensor:
    size = reference.shape[-2:]
    return F.interpolate(x, size, mode='bilinear', align_corners=False)


@MODELS.register_module()
class PAN(Module):
    """Top-down and bottom-up sums of resized maps, as NanoDet's neck of this name.

    Args:
        in_channels: Channels of the backbone's maps, from fine to coarse.
        out_channels: Channels of every level.
        frozen: Keep the neck as it is while the rest trains.
        init_cfg: mmengine's.
    """

    def __init__(
        self,
        *,
        in_channels: Sequence[int] = (128, 256, 512),
        out_channels: int = 128,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, out_channels, 1) for channels in in_channels
        )
        self.smooth = nn.ModuleList(
            LeakyConv(out_channels, out_channels) for _ in in_channels
        )
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, C_i, H_i, W_i) to levels (B, out_channels, H_i, W_i)."""
        levels = [conv(x) for conv, x in zip(self.laterals, maps, strict=True)]
        for i in range(len(levels) - 1, 0, -1):
            levels[i - 1] = levels[i - 1] + _resized_like(levels[i], levels[i - 1])
        for i in range(1, len(levels)):
            levels[i] = levels[i] + _resized_like(levels[i - 1], levels[i])
        return tuple(conv(x) for conv, x in zip(self.smooth, levels, strict=True))
