"""Dynamic head block (arXiv 2106.08322) as GLIP uses it."""

from collections.abc import Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glip.models.module import Module
from glip.ops import modulated_deform_conv2d


class DeformConv3x3(nn.Module):
    """3x3 convolution whose offsets, if it has any, are predicted elsewhere."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, deformable: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        # The original sets 0.01 only for plain convolutions.
        if deformable:
            bound = (9 * in_channels) ** -0.5
            nn.init.uniform_(self.weight, -bound, bound)
        else:
            nn.init.normal_(self.weight, std=0.01)

    def forward(
        self, x: Tensor, offset: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        if offset is None or mask is None:
            return F.conv2d(x, self.weight, self.bias, stride=self.stride, padding=1)
        return self._deformed(x, offset, mask)

    def _deformed(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return modulated_deform_conv2d(
            x, offset, mask, self.weight, self.bias, stride=self.stride
        )


class Conv3x3Norm(Module):
    """A branch of the tower: 3x3 convolution and the group norm after it."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        num_groups: int,
        deformable: bool,
    ) -> None:
        super().__init__()
        self.conv = DeformConv3x3(in_channels, out_channels, stride, deformable)
        self.bn = nn.GroupNorm(num_groups, out_channels)


# What a convolution gives, and the norm after it.
Source = tuple[nn.GroupNorm, Tensor]


class DyReLU(Module):
    """Maximum of two lines whose slopes and offsets depend on the picture.

    Source: arXiv 2003.10027, type B, with the original's ranges.

    Args:
        channels: Channels of the map.
        reduction: Bottleneck ratio of the two linear layers.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction),
            nn.ReLU(),
            nn.Linear(channels // reduction, channels * 4),
            nn.Hardsigmoid(),
        )

    def lines(self, mean: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
        """Slope and offset, (B, C), of both lines for channel means (B, C)."""
        slope1, offset1, slope2, offset2 = self.fc(mean).chunk(4, dim=1)
        return (slope1 * 2, offset1 - 0.5), (slope2 * 2 - 1, offset2 - 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map of shape (B, C, H, W) to the same shape."""
        lines = self.lines(x.mean((2, 3)))
        return torch.maximum(
            *(x * k[..., None, None] + b[..., None, None] for k, b in lines)
        )


def _resample(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)


class DyConv(Module):
    """Scale-, spatial- and task-aware attention over a feature pyramid.

    Each level gathers from itself, from the finer level (stride 2) and from the
    coarser one (upsampled, bilinear with aligned corners), all three with the
    offsets predicted from the level itself.

    Args:
        channels: Channels of every level.
        num_groups: Groups of the group norm.
        use_dcn: Deformable convolutions instead of plain ones.
        use_dyfuse: Weigh the three sources by attention.
        use_dyrelu: DyReLU instead of ReLU.
        use_checkpoint: Recompute all but the convolutions, which take nearly all of
            the time, in the backward pass to save memory.
    """

    def __init__(
        self,
        channels: int,
        *,
        num_groups: int = 16,
        use_dcn: bool = True,
        use_dyfuse: bool = True,
        use_dyrelu: bool = True,
        use_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.use_checkpoint = use_checkpoint
        self.dyconvs = nn.ModuleList(
            Conv3x3Norm(
                channels,
                channels,
                stride=stride,
                num_groups=num_groups,
                deformable=use_dcn,
            )
            for stride in (1, 1, 2)
        )
        self.attnconv: nn.Sequential | None = None
        if use_dyfuse:
            self.attnconv = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 1, 1), nn.ReLU()
            )
            score = cast(nn.Conv2d, self.attnconv[1])
            nn.init.normal_(score.weight, std=0.01)
            nn.init.zeros_(cast(Tensor, score.bias))
        self.relu = DyReLU(channels) if use_dyrelu else nn.ReLU()
        self.offset = None
        if use_dcn:
            self.offset = nn.Conv2d(channels, 27, 3, padding=1)

    def _level(
        self, feature: Tensor, finer: Tensor | None, coarser: Tensor | None
    ) -> Tensor:
        field: tuple[Tensor, ...] = ()
        if self.offset is not None:
            offset, mask = self._field(feature).split((18, 9), dim=1)
            field = (offset, mask.sigmoid())
        branches = cast(Iterable[Conv3x3Norm], self.dyconvs)
        from_coarser, from_same, from_finer = branches
        sources = [
            (branch.bn, branch.conv(x, *field))
            for branch, x in (
                (from_same, feature),
                (from_finer, finer),
                (from_coarser, coarser),
            )
            if x is not None
        ]
        return self._merge(sources, feature.shape[2:])

    def _field(self, feature: Tensor) -> Tensor:
        """Offsets and logits of the mask, (B, 27, H, W)."""
        return cast(nn.Conv2d, self.offset)(feature)

    def _merge(self, sources: list[Source], size: torch.Size) -> Tensor:
        """Mean of the sources, recomputed in the backward pass where that is asked."""
        if self.use_checkpoint and self.training:
            return checkpoint(self._gather, sources, size, use_reentrant=False)
        return self._gather(sources, size)

    def _gather(self, sources: list[Source], size: torch.Size) -> Tensor:
        """Mean of the normed and gated sources, activated."""
        maps = [_resample(norm(x), size) for norm, x in sources]
        if self.attnconv is not None:
            maps = [x * F.hardsigmoid(self.attnconv(x)) for x in maps]
        return self.relu(sum(maps[1:], maps[0]) / len(maps))

    def forward(self, visual: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps (B, C, H, W) from fine to coarse, to maps of the same shapes."""
        padded = (None, *visual, None)
        return tuple(
            self._level(feature, finer, coarser)
            for finer, feature, coarser in zip(padded, visual, padded[2:], strict=False)
        )
