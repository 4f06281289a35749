"""Group norms that are not applied to maps but folded into what follows them.

A group norm scales and shifts every channel of a picture by two numbers. Where maps are
only pooled, resampled, scaled and added afterwards, these two are all that is needed:
the maps themselves are gone through once, to add them up. For inference on a CPU, where
each pass over a map costs as much as its memory.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .plain import is_plain

# Pixels worked on at a time: their rows stay in a CPU's cache.
_TILE = 1024


def folding_applies(x: Tensor) -> bool:
    """Whether maps like ``x`` are better folded; a gradient is not kept by it."""
    return (
        x.device.type == 'cpu'
        and not torch.is_grad_enabled()
        and not is_plain()
        and not torch.compiler.is_compiling()
    )


def fold_group_norm(x: Tensor, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """The scale and the shift of each channel that amount to a group norm.

    Args:
        x: Shape (B, C, H, W).
        norm: Its groups, eps, weight and bias are used.

    Returns:
        Scale and shift, each (B, C).
    """
    # Batch norm's statistics are the mean and the centred, biased variance per channel.
    found = [
        torch.ops.aten.batch_norm_update_stats(picture[None], None, None, 0.0)
        for picture in x
    ]
    mean, var = (torch.stack(s) for s in zip(*found, strict=True))
    grouped = mean.unflatten(1, (norm.num_groups, -1))
    group_mean = grouped.mean(2, keepdim=True)
    within = var.view_as(grouped) + (grouped - group_mean).square()
    rstd = (within.mean(2, keepdim=True) + norm.eps).rsqrt()
    scale = norm.weight * rstd.expand_as(grouped).flatten(1)
    return scale, norm.bias - scale * group_mean.expand_as(grouped).flatten(1)


def resampled_mean(x: Tensor, size: Sequence[int]) -> Tensor:
    """Mean of each channel after bilinear resampling with aligned corners.

    Args:
        x: Shape (B, C, H, W).
        size: Height and width that it would be resampled to; its own for no resampling.

    Returns:
        Shape (B, C).
    """
    if x.shape[2:] == tuple(size):
        return x.mean((2, 3))
    # How much each row and each column of x counts.
    down, across = (
        F.interpolate(
            torch.eye(old, dtype=x.dtype)[None], new, mode='linear', align_corners=True
        ).mean(2)
        for old, new in zip(x.shape[2:], size, strict=True)
    )
    counts = (down[0, :, None] * across[0]).flatten()
    return counts @ x.permute(0, 2, 3, 1).flatten(1, 2)


def add_scaled(
    maps: Sequence[Tensor],
    scales: Sequence[Tensor],
    shift: Tensor,
    lines: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """Weighted sum of maps, and the higher of some lines at each of its values.

    Args:
        maps: Each (B, C, H, W) in channels_last memory format; the last is written to.
        scales: Of each map, (B, C).
        shift: Added to the sum, (B, C).
        lines: Slope and offset of each, (B, C).

    Returns:
        Shape (B, C, H, W), in the memory of the last map.
    """
    for b in range(len(shift)):
        pictures = [m[b].permute(1, 2, 0).view(-1, m.shape[1]) for m in maps]
        *others, own = (s[b] for s in scales)
        for *tiles, out in zip(*(p.split(_TILE) for p in pictures), strict=True):
            torch.addcmul(shift[b], out, own, out=out)
            for tile, scale in zip(tiles, others, strict=True):
                out.addcmul_(tile, scale)
            candidates = [torch.addcmul(o[b], out, k[b]) for k, o in lines]
            torch.maximum(*candidates, out=out)
    return maps[-1]
