"""Blocks of the dynamic head whose group norms are folded into what follows them."""

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.models.layers import dyhead
from glip.ops import (
    deform_conv_input,
    fold_group_norm,
    folding_applies,
    higher_line,
    packing_once,
    resampled_mean,
)


class DyConv(dyhead.DyConv):
    """As :class:`glip.models.layers.DyConv`, by :mod:`glip.ops.cpu.folded_norm`."""

    def forward(self, visual: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps (B, C, H, W) from fine to coarse, to maps of the same shapes."""
        if self.offset is not None:
            visual = tuple(map(deform_conv_input, visual))
        with packing_once():
            return super().forward(visual)

    def _merge(self, sources: list[dyhead.Source], size: torch.Size) -> Tensor:
        attends = self.attnconv is not None and isinstance(self.relu, dyhead.DyReLU)
        if attends and folding_applies(sources[0][1]):
            return self._gather_folded(sources, size)
        return super()._merge(sources, size)

    def _gather_folded(self, sources: list[dyhead.Source], size: torch.Size) -> Tensor:
        """What :meth:`_gather` computes, but on channel means, where that is exact."""
        maps, scales, shifts, means = [], [], [], []
        for norm, x in sources:
            x = x.contiguous(memory_format=torch.channels_last)
            x, scale, shift, mean = fold_group_norm(x, norm)
            if x.shape[2:] != size:
                mean = resampled_mean(x, size)
            mean = mean * scale + shift
            gate = F.hardsigmoid(self.attnconv(mean[..., None, None])).flatten(1)
            gate = gate / len(sources)
            maps.append(x)
            for items, item in ((scales, scale), (shifts, shift), (means, mean)):
                items.append(gate * item)
        lines = self.relu.lines(sum(means))
        return higher_line(maps, scales, sum(shifts), lines, size)
