"""Group norms that are not applied to maps but folded into what follows them.

A group norm scales and shifts every channel of a picture by two numbers. Where maps are
only pooled, resampled, scaled and added afterwards, these two are all that is needed:
the maps themselves are gone through once, to add them up. It is for the CPU, where each
pass over a map costs as much as its memory. The gradient keeps the maps before the norm
and nothing else of their size; what follows is computed again, in tiles.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from glip.ops.plain import is_plain
from glip.ops.torch_internals import bilinear_backward, channel_moments

# Pixels of a picture worked on at a time: their channels stay in a CPU's cache.
_TILE = 1024


def folding_applies(x: Tensor) -> bool:
    """Whether norms of maps like ``x`` are better folded."""
    return (
        x.device.type == 'cpu' and not is_plain() and not torch.compiler.is_compiling()
    )


def _tiles(height: int, width: int) -> Iterator[slice]:
    """Slices of rows of a map."""
    rows = max(1, _TILE // width)
    return (slice(y, min(y + rows, height)) for y in range(0, height, rows))


class _Moments(torch.autograd.Function):
    """Mean and biased variance of each channel of a picture, and the map as it is.

    What uses the map must use the one returned, and no gradient may flow back to it but
    from here, where that of the moments is added in place.
    """

    @staticmethod
    def forward(ctx, x):
        moments = map(channel_moments, x)
        mean, var = (torch.stack(s) for s in zip(*moments, strict=True))
        ctx.save_for_backward(x, mean)
        # Of a batch of one view_as would give a stride that hides the layout.
        return x.as_strided(x.shape, x.stride()), mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, grad_mean, grad_var):
        x, mean = ctx.saved_tensors
        slope = grad_var * (2 / x[0, 0].numel())
        offset = grad_mean / x[0, 0].numel() - slope * mean
        slope, offset = slope[..., None, None], offset[..., None, None]
        for rows in _tiles(*x.shape[2:]):
            grad[:, :, rows].addcmul_(x[:, :, rows], slope).add_(offset)
        return grad


def fold_group_norm(
    x: Tensor, norm: nn.GroupNorm
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The scale and the shift of each channel that amount to a group norm.

    Args:
        x: Shape (B, C, H, W); from here on to be replaced by the first thing returned,
            in whose gradient that of the moments is included.
        norm: Its groups, eps, weight and bias are used.

    Returns:
        The same map, and its scale, shift and mean before the norm, each (B, C).
    """
    x, mean, var = _Moments.apply(x)
    grouped = mean.unflatten(1, (norm.num_groups, -1))
    group_mean = grouped.mean(2, keepdim=True)
    within = var.view_as(grouped) + (grouped - group_mean).square()
    rstd = (within.mean(2, keepdim=True) + norm.eps).rsqrt()
    scale = norm.weight * rstd.expand_as(grouped).flatten(1)
    shift = norm.bias - scale * group_mean.expand_as(grouped).flatten(1)
    return x, scale, shift, mean


def resampled_mean(x: Tensor, size: Sequence[int]) -> Tensor:
    """Mean of each channel after bilinear resampling with aligned corners.

    Args:
        x: Shape (B, C, H, W).
        size: Height and width that it would be resampled to.

    Returns:
        Shape (B, C).
    """
    down, across = (
        _shares(old, new, x.dtype) for old, new in zip(x.shape[2:], size, strict=True)
    )
    shares = (down[:, None] * across).flatten()
    with torch.autocast('cpu', enabled=False):
        return shares @ x.permute(0, 2, 3, 1).flatten(1, 2)


@lru_cache(maxsize=256)
@torch.inference_mode(False)
@torch.no_grad()
def _shares(old: int, new: int, dtype: torch.dtype) -> Tensor:
    """How much each place of a line counts in the mean of the resampled line."""
    each = torch.eye(old, dtype=dtype)[None]
    return F.interpolate(each, new, mode='linear', align_corners=True)[0].mean(1)


class _HigherLine(torch.autograd.Function):
    """Weighted sum of maps, and the higher of two lines at each of its values."""

    @staticmethod
    def forward(ctx, size, shift, slope1, offset1, slope2, offset2, scales, *maps):
        ctx.size = size
        ctx.save_for_backward(shift, slope1, offset1, slope2, offset2, scales, *maps)
        wide = [_resampled(m, size) for m in maps]
        if wide[-1] is not maps[-1]:
            out = wide[-1]  # nobody else's
        else:
            out = torch.empty_like(maps[-1], memory_format=torch.channels_last)
        for rows in _tiles(*size):
            x = _total(wide, scales, shift, rows, out[:, :, rows])
            second = torch.addcmul(offset2, x, slope2)
            torch.maximum(torch.addcmul(offset1, x, slope1, out=x), second, out=x)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        shift, slope1, offset1, slope2, offset2, scales, *maps = ctx.saved_tensors
        wide = [_resampled(m, ctx.size) for m in maps]
        grad_x = torch.empty_like(grad, memory_format=torch.channels_last)
        grad_lines = shift.new_zeros(4, *shift.shape)
        grad_scales = torch.zeros_like(scales)
        for rows in _tiles(*ctx.size):
            x = _total(wide, scales, shift, rows)
            first = torch.addcmul(offset1, x, slope1)
            first = first >= torch.addcmul(offset2, x, slope2)
            part = grad[:, :, rows]
            higher = torch.where(first, part, part.new_zeros(()))
            other = part - higher
            for total, term in zip(
                grad_lines, (higher, other, higher * x, other * x), strict=True
            ):
                total += _channel_sum(term)
            part = torch.mul(higher, slope1, out=grad_x[:, :, rows])
            part.addcmul_(other, slope2)
            for total, one, whole in zip(grad_scales, maps, wide, strict=True):
                if one is whole:
                    total += _channel_sum(part * whole[:, :, rows])
        grad_offset1, grad_offset2, grad_slope1, grad_slope2 = grad_lines
        grad_shift = grad_offset1 * slope1 + grad_offset2 * slope2
        del wide
        grad_maps = []
        for total, one, scale in zip(grad_scales, maps, scales, strict=True):
            if one.shape[2:] == ctx.size:
                grad_maps.append(grad_x * scale)
                continue
            back = bilinear_backward(grad_x, one.shape)
            total += _channel_sum(back * one)
            grad_maps.append(back.mul_(scale))
        return (
            None,
            grad_shift,
            grad_slope1,
            grad_offset1,
            grad_slope2,
            grad_offset2,
            grad_scales,
            *grad_maps,
        )


def _resampled(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[2:] == size:
        return x
    x = F.interpolate(x, size=size, mode='bilinear', align_corners=True)
    return x.contiguous(memory_format=torch.channels_last)


def _total(
    maps: Sequence[Tensor],
    scales: Tensor,
    shift: Tensor,
    rows: slice,
    out: Tensor | None = None,
) -> Tensor:
    """Some rows of the weighted sum; ``out`` may be those of the last map."""
    total = torch.addcmul(shift, maps[-1][:, :, rows], scales[-1], out=out)
    for one, scale in zip(maps[:-1], scales[:-1], strict=True):
        total.addcmul_(one[:, :, rows], scale)
    return total


def _channel_sum(x: Tensor) -> Tensor:
    return x.sum((2, 3), keepdim=True)


def higher_line(
    maps: Sequence[Tensor],
    scales: Tensor,
    shift: Tensor,
    lines: Sequence[tuple[Tensor, Tensor]],
    size: torch.Size,
) -> Tensor:
    """Weighted sum of maps, and the higher of two lines at each of its values.

    Args:
        maps: Each (B, C, H, W) in channels_last memory format; one of another size is
            resampled, bilinear with aligned corners.
        scales: Of the maps, (maps, B, C).
        shift: Added to the sum, (B, C).
        lines: Slope and offset of each of the two, (B, C).
        size: Height and width.

    Returns:
        Shape (B, C, *size), in channels_last memory format.
    """
    small = [shift, *(term for line in lines for term in line), scales]
    small = [t.to(maps[0].dtype)[..., None, None] for t in small]
    return _HigherLine.apply(size, *small, *maps)
