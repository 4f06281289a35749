"""Blocks of the dynamic head whose group norms are folded into what follows them."""

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.models.layers import dyhead
from glip.ops.cpu import (
    deform_conv_input,
    fold_group_norm,
    folding_applies,
    higher_line,
    modulated_deform_conv2d,
    packing_once,
    resampled_mean,
)
from glip.ops.cpu.packed_convolution import packed_conv2d, packing_applies
from glip.ops.torch_internals import is_recorded


class DeformConv3x3(dyhead.DeformConv3x3):
    """As the plain one, by :mod:`glip.ops.cpu.deform_conv`."""

    def _deformed(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return modulated_deform_conv2d(
            x, offset, mask, self.weight, self.bias, stride=self.stride
        )


class DyConv(dyhead.DyConv):
    """As :class:`glip.models.layers.DyConv`, by :mod:`glip.ops.cpu.folded_norm`."""

    def forward(self, visual: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Maps (B, C, H, W) from fine to coarse, to maps of the same shapes."""
        if self.offset is not None:
            visual = tuple(map(deform_conv_input, visual))
        with self._packing():
            return super().forward(visual)

    def _packing(self) -> AbstractContextManager[None]:
        return packing_once()

    def _merge(self, sources: list[dyhead.Source], size: torch.Size) -> Tensor:
        attention, relu = self.attnconv, self.relu
        if attention is not None and isinstance(relu, dyhead.DyReLU):
            if folding_applies(sources[0][1]):
                return _gather_folded(sources, size, attention, relu)
        return super()._merge(sources, size)


class FrozenDyConv(DyConv):
    """As :class:`DyConv`, with weights that are laid out once for many pictures."""

    def _packing(self) -> AbstractContextManager[None]:
        if is_recorded() or next(self.parameters()).is_inference():
            return super()._packing()
        return packing_once(self)

    def _field(self, feature: Tensor) -> Tensor:
        offset = self.offset
        if offset is None or not packing_applies(feature, offset.weight):
            return super()._field(feature)
        return packed_conv2d(feature, offset)


def _gather_folded(
    sources: list[dyhead.Source],
    size: torch.Size,
    attention: nn.Sequential,
    relu: dyhead.DyReLU,
) -> Tensor:
    """What ``DyConv._gather`` computes, but on channel means, where that is exact."""
    score = cast(nn.Conv2d, attention[1])
    maps: list[Tensor] = []
    folded: list[tuple[Tensor, Tensor, Tensor]] = []
    for norm, x in sources:
        x = x.contiguous(memory_format=torch.channels_last)
        x, scale, shift, mean = fold_group_norm(x, norm)
        if x.shape[2:] != size:
            mean = resampled_mean(x, size)
        maps.append(x)
        folded.append((scale, shift, mean))
    scales, shifts, means = map(torch.stack, zip(*folded, strict=True))
    means = means * scales + shifts
    # So small that casts of half precision would take longer than the products.
    wide = means.dtype is score.weight.dtype
    with torch.autocast('cpu', enabled=False) if wide else nullcontext():
        gates = F.linear(means, score.weight.flatten(1), score.bias).relu()
        gates = F.hardsigmoid(gates) / len(sources)
        lines = relu.lines((gates * means).sum(0))
    return higher_line(maps, gates * scales, (gates * shifts).sum(0), lines, size)
