"""Deformable convolution as a weighted gather followed by one matrix product.

``embedding_bag`` gathers on every core of a CPU, and the matrix product is the
fastest thing a CPU does, so this is several times faster than a sampling loop. It is
the same arithmetic up to the order of float additions, forward and backward.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

# Output pixels gathered at a time: the columns of a tile stay in the cache.
_TILE = 1024


def _corners(
    offset: Tensor, height: int, width: int, kernel: int, *, stride: int, padding: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows to gather and the terms of their bilinear weights.

    Args:
        offset: Shape (B, 2*k*k, h, w).
        height: Rows of the input map.
        width: Columns of the input map.

    Returns:
        Index (B*h*w*k*k, 4) into the flattened input maps, the validity of each
        corner of the same shape, and the fractions fy and fx, each (B*h*w*k*k,).
    """
    batch, taps = offset.shape[0], kernel * kernel
    dtype, device = offset.dtype, offset.device
    grid_y = torch.arange(offset.shape[2], dtype=dtype, device=device)
    grid_x = torch.arange(offset.shape[3], dtype=dtype, device=device)
    tap = torch.arange(taps, device=device)
    offset = offset.unflatten(1, (taps, 2)).permute(0, 3, 4, 1, 2)
    y = (grid_y * stride - padding)[:, None, None] + (tap // kernel).to(dtype)
    x = (grid_x * stride - padding)[None, :, None] + (tap % kernel).to(dtype)
    y, x = (y + offset[..., 0]).flatten(), (x + offset[..., 1]).flatten()
    y0, x0 = y.floor(), x.floor()
    fy, fx = y - y0, x - x0
    # A far-away or non-finite position is outside; clamping keeps the cast defined.
    y0 = y0.nan_to_num(-2).clamp(-2, height + 1).long()
    x0 = x0.nan_to_num(-2).clamp(-2, width + 1).long()
    ys = torch.stack((y0, y0, y0 + 1, y0 + 1), dim=1)
    xs = torch.stack((x0, x0 + 1, x0, x0 + 1), dim=1)
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    index = ys.clamp_(0, height - 1) * width + xs.clamp_(0, width - 1)
    first_row = torch.arange(batch, device=device) * (height * width)
    index = (index.view(batch, -1) + first_row[:, None]).view(-1, 4)
    return index, inside.to(dtype), fy, fx


def _bilinear(inside: Tensor, fy: Tensor, fx: Tensor) -> Tensor:
    gy, gx = 1 - fy, 1 - fx
    return torch.stack((gy * gx, gy * fx, fy * gx, fy * fx), dim=1) * inside


def _gather(index: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(index, rows, per_sample_weights=weights, mode='sum')


def _rows(x: Tensor) -> Tensor:
    """Map (B, C, H, W) to one row per pixel, (B*H*W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def _map(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (B*H*W, C) back to the (B, C, H, W) of ``like``'s batch and size."""
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, -1).permute(0, 3, 1, 2).contiguous()


class _GatherDeformConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, offset, mask, weight, stride, padding):
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.conv = dict(stride=stride, padding=padding)
        kernel = weight.shape[-1]
        taps = kernel * kernel
        index, inside, fy, fx = _corners(
            offset, *x.shape[2:], kernel, stride=stride, padding=padding
        )
        weights = _bilinear(inside, fy, fx) * _rows(mask).reshape(-1, 1)
        rows = _rows(x)
        matrix = weight.permute(2, 3, 1, 0).reshape(-1, weight.shape[0])
        pixels = mask.shape[0] * mask.shape[2] * mask.shape[3]
        out = x.new_empty(pixels, weight.shape[0])
        for start in range(0, pixels, _TILE):
            stop = min(start + _TILE, pixels)
            part = slice(start * taps, stop * taps)
            columns = _gather(index[part], rows, weights[part])
            torch.mm(columns.view(stop - start, -1), matrix, out=out[start:stop])
        return _map(out, mask)

    @staticmethod
    def backward(ctx, grad_out):
        x, offset, mask, weight = ctx.saved_tensors
        out_channels, channels, kernel, _ = weight.shape
        taps = kernel * kernel
        index, inside, fy, fx = _corners(offset, *x.shape[2:], kernel, **ctx.conv)
        bilinear = _bilinear(inside, fy, fx)
        scale = _rows(mask).reshape(-1, 1)
        weights = bilinear * scale
        rows, grad_rows = _rows(x), _rows(grad_out)
        matrix = weight.permute(0, 2, 3, 1).reshape(out_channels, -1)
        grad_matrix = torch.zeros_like(matrix)
        pixels = len(grad_rows)
        grad_columns = x.new_empty(pixels * taps, channels)
        grad_weights = torch.empty_like(weights)
        for start in range(0, pixels, _TILE):
            stop = min(start + _TILE, pixels)
            part = slice(start * taps, stop * taps)
            columns = _gather(index[part], rows, weights[part])
            tile = grad_rows[start:stop]
            grad_matrix.addmm_(tile.t(), columns.view(stop - start, -1))
            torch.mm(tile, matrix, out=grad_columns[part].view(stop - start, -1))
            grad_weights[part] = _corner_dots(grad_columns[part], rows, index[part])
        grad_x = _map(_scatter(index, weights, grad_columns, len(rows)), x)
        grad_mask = _map((grad_weights * bilinear).sum(1).view(pixels, taps), mask)
        grad_weights *= scale * inside
        g00, g01, g10, g11 = grad_weights.unbind(1)
        grad_y = (g10 - g00) * (1 - fx) + (g11 - g01) * fx
        grad_at_x = (g01 - g00) * (1 - fy) + (g11 - g10) * fy
        grad_offset = torch.stack((grad_y, grad_at_x), 1).view(pixels, taps * 2)
        grad_weight = grad_matrix.view(out_channels, kernel, kernel, channels)
        return (
            grad_x,
            _map(grad_offset, offset),
            grad_mask,
            grad_weight.permute(0, 3, 1, 2),
            None,
            None,
        )


def _corner_dots(grad_columns: Tensor, rows: Tensor, index: Tensor) -> Tensor:
    """Inner product of each column's gradient with its four gathered rows."""
    count = index.shape[0]
    bag = torch.arange(count, device=index.device).repeat_interleave(4)
    offsets = torch.arange(0, count * 4, 4, device=index.device)
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad_columns, rows, index.reshape(-1), offsets, bag, 0
    ).view(count, 4)


def _scatter(index: Tensor, weights: Tensor, columns: Tensor, size: int) -> Tensor:
    """Transpose of the gather, as a gather over the map sorted by its target."""
    # int32 keys sort about twice as fast, and a map never has 2**31 pixels.
    target, order = index.reshape(-1).int().sort()
    starts = torch.searchsorted(
        target, torch.arange(size, dtype=target.dtype, device=index.device)
    )
    return F.embedding_bag(
        order // 4,
        columns,
        starts,
        mode='sum',
        per_sample_weights=weights.reshape(-1)[order],
    )


def gather_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 1,
) -> Tensor:
    """Modulated deformable convolution by gather and matrix product.

    Args:
        x: Shape (B, C, H, W), float32 or float64.
        offset: Shape (B, 2*k*k, Ho, Wo), (dy, dx) per tap.
        mask: Shape (B, k*k, Ho, Wo).
        weight: Shape (O, C, k, k).
        bias: Shape (O,) or None.
        stride: Stride in pixels.
        padding: Zero padding in pixels.

    Returns:
        Shape (B, O, Ho, Wo).
    """
    out = _GatherDeformConv.apply(x, offset, mask, weight, stride, padding)
    return out if bias is None else out + bias.view(1, -1, 1, 1)
