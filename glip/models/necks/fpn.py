"""Feature pyramid (arXiv 1612.03144) of plain convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from glip.models.module import InitCfg, Module

_XAVIER = dict(type='Xavier', layer='Conv2d', distribution='uniform')


class _Conv(nn.Module):
    """A convolution with the parameter names of mmcv's ``ConvModule``."""

    def __init__(
        self, in_channels: int, out_channels: int, size: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, size, stride, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class FPN(Module):
    """mmdet's neck of this name without norms and activations.

    Args:
        in_channels: Channels of the backbone's maps, from fine to coarse.
        out_channels: Channels of every level.
        num_outs: Levels.
        start_level: First map of the backbone that is used.
        add_extra_convs: Where levels beyond the backbone's come from: False pools the
            coarsest level; True or ``'on_input'`` convolves the coarsest map of the
            backbone, ``'on_lateral'`` that map after its 1x1 convolution,
            ``'on_output'`` the coarsest level.
        relu_before_extra_convs: Activate what the second and later of them read.
        upsample_cfg: Arguments of ``F.interpolate`` on the way down.
        init_cfg: mmengine's.

    Raises:
        ValueError: There are fewer levels than maps, or no such source.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        *,
        start_level: int = 0,
        add_extra_convs: bool | str = False,
        relu_before_extra_convs: bool = False,
        upsample_cfg: Mapping[str, Any] | None = None,
        init_cfg: InitCfg = None,
    ) -> None:
        super().__init__(_XAVIER if init_cfg is None else init_cfg)
        used = in_channels[start_level:]
        if num_outs < len(used):
            raise ValueError(f'num_outs={num_outs} is less than {len(used)} maps')
        source = 'on_input' if add_extra_convs is True else add_extra_convs
        if source not in (False, 'on_input', 'on_lateral', 'on_output'):
            raise ValueError(f'add_extra_convs={add_extra_convs!r} is no source')
        self.start_level, self.num_outs, self.source = start_level, num_outs, source
        self.relu_before_extra_convs = relu_before_extra_convs
        self.upsample_cfg = dict(upsample_cfg or dict(mode='nearest'))
        self.lateral_convs = nn.ModuleList()
        self.fpn_convs = nn.ModuleList()
        for channels in used:
            self.lateral_convs.append(_Conv(channels, out_channels, 1))
            self.fpn_convs.append(_Conv(out_channels, out_channels, 3))
        if source:
            first = used[-1] if source == 'on_input' else out_channels
            for i in range(num_outs - len(used)):
                channels = out_channels if i else first
                self.fpn_convs.append(_Conv(channels, out_channels, 3, stride=2))

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps (B, C_i, H_i, W_i) to levels (B, out_channels, h, w)."""
        used = inputs[self.start_level :]
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, used, strict=True)]
        for i in range(len(laterals) - 1, 0, -1):
            laterals[i - 1] = laterals[i - 1] + self._upsampled(
                laterals[i], laterals[i - 1]
            )
        levels = [conv(x) for conv, x in zip(self.fpn_convs, laterals, strict=False)]
        for i in range(len(levels), self.num_outs):
            if not self.source:
                levels.append(F.max_pool2d(levels[-1], 1, stride=2))
                continue
            x = levels[-1]
            if i > len(used):
                x = F.relu(x) if self.relu_before_extra_convs else x
            elif self.source == 'on_input':
                x = used[-1]
            elif self.source == 'on_lateral':
                x = laterals[-1]
            levels.append(self.fpn_convs[i](x))
        return tuple(levels)

    def _upsampled(self, x: Tensor, finer: Tensor) -> Tensor:
        size = None if 'scale_factor' in self.upsample_cfg else finer.shape[2:]
        return F.interpolate(x, size=size, **self.upsample_cfg)
