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
    offset: Tensor, mask: Tensor, height: int, width: int, kernel: int, **conv: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows to gather and the terms of their bilinear weights, for one image.

    Args:
        offset: Shape (2*k*k, h, w). mask: shape (k*k, h, w).
        height: Rows of the input map. width: its columns.

    Returns:
        Index (h*w*k*k, 4) into the flattened input map, then, of the same leading
        size, the corner validity (.., 4) and the fractions fy, fx (..,).
    """
    taps, out_h, out_w = mask.shape
    dtype, device = offset.dtype, offset.device
    step, pad = conv['stride'], conv['padding']
    grid_y = torch.arange(out_h, dtype=dtype, device=device) * step - pad
    grid_x = torch.arange(out_w, dtype=dtype, device=device) * step - pad
    tap = torch.arange(taps, device=device)
    offset = offset.view(taps, 2, out_h, out_w).permute(2, 3, 0, 1)
    y = grid_y[:, None, None] + (tap // kernel).to(dtype) + offset[..., 0]
    x = grid_x[None, :, None] + (tap % kernel).to(dtype) + offset[..., 1]
    y, x = y.reshape(-1), x.reshape(-1)
    y0, x0 = y.floor(), x.floor()
    fy, fx = y - y0, x - x0
    # A far-away or non-finite position is outside; clamping keeps the cast defined.
    y0 = y0.nan_to_num(-2).clamp(-2, height + 1).long()
    x0 = x0.nan_to_num(-2).clamp(-2, width + 1).long()
    ys = torch.stack((y0, y0, y0 + 1, y0 + 1), dim=1)
    xs = torch.stack((x0, x0 + 1, x0, x0 + 1), dim=1)
    inside = (ys >= 0) & (ys < height) & (xs >= 0) & (xs < width)
    index = ys.clamp(0, height - 1) * width + xs.clamp(0, width - 1)
    return index, inside.to(dtype), fy, fx


def _bilinear(inside: Tensor, fy: Tensor, fx: Tensor) -> Tensor:
    gy, gx = 1 - fy, 1 - fx
    return torch.stack((gy * gx, gy * fx, fy * gx, fy * fx), dim=1) * inside


def _gather(index: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(index, rows, per_sample_weights=weights, mode='sum')


class _GatherDeformConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, offset, mask, weight, stride, padding):
        ctx.save_for_backward(x, offset, mask, weight)
        ctx.conv = dict(stride=stride, padding=padding)
        batch, channels, height, width = x.shape
        out_channels, _, kernel, _ = weight.shape
        taps, (out_h, out_w) = kernel * kernel, mask.shape[2:]
        matrix = weight.permute(0, 2, 3, 1).reshape(out_channels, -1).t().contiguous()
        out = x.new_empty(batch, out_h * out_w, out_channels)
        for b in range(batch):
            rows = x[b].reshape(channels, -1).t().contiguous()
            index, inside, fy, fx = _corners(
                offset[b], mask[b], height, width, kernel, **ctx.conv
            )
            weights = _bilinear(inside, fy, fx)
            weights *= mask[b].reshape(taps, -1).t().reshape(-1, 1)
            for start in range(0, out_h * out_w, _TILE):
                stop = min(start + _TILE, out_h * out_w)
                part = slice(start * taps, stop * taps)
                columns = _gather(index[part], rows, weights[part])
                torch.mm(
                    columns.view(stop - start, -1), matrix, out=out[b, start:stop]
                )
        return out.transpose(1, 2).reshape(batch, out_channels, out_h, out_w)

    @staticmethod
    def backward(ctx, grad_out):
        x, offset, mask, weight = ctx.saved_tensors
        batch, channels, height, width = x.shape
        out_channels, _, kernel, _ = weight.shape
        taps, (out_h, out_w) = kernel * kernel, mask.shape[2:]
        pixels = out_h * out_w
        matrix = weight.permute(0, 2, 3, 1).reshape(out_channels, -1)
        grad_matrix = torch.zeros_like(matrix)
        grad_x, grad_offset, grad_mask = (
            torch.empty_like(t) for t in (x, offset, mask)
        )
        for b in range(batch):
            rows = x[b].reshape(channels, -1).t().contiguous()
            index, inside, fy, fx = _corners(
                offset[b], mask[b], height, width, kernel, **ctx.conv
            )
            bilinear = _bilinear(inside, fy, fx)
            scale = mask[b].reshape(taps, -1).t().reshape(-1, 1)
            weights = bilinear * scale
            grad_rows_out = grad_out[b].reshape(out_channels, -1).t().contiguous()
            grad_columns = torch.empty(
                pixels * taps, channels, dtype=x.dtype, device=x.device
            )
            grad_weights = torch.empty_like(weights)
            for start in range(0, pixels, _TILE):
                stop = min(start + _TILE, pixels)
                part = slice(start * taps, stop * taps)
                columns = _gather(index[part], rows, weights[part])
                tile = grad_rows_out[start:stop]
                grad_matrix.addmm_(tile.t(), columns.view(stop - start, -1))
                torch.mm(
                    tile, matrix, out=grad_columns[part].view(stop - start, -1)
                )
                grad_weights[part] = _corner_dots(
                    grad_columns[part], rows, index[part]
                )
            grad_x[b] = _scatter(index, weights, grad_columns, height * width).view(
                height, width, channels
            ).permute(2, 0, 1)
            grad_mask[b] = (
                (grad_weights * bilinear).sum(1).view(pixels, taps).t()
            ).view_as(mask[b])
            grad_weights *= scale * inside
            g00, g01, g10, g11 = grad_weights.unbind(1)
            grad_y = (g10 - g00) * (1 - fx) + (g11 - g01) * fx
            grad_xx = (g01 - g00) * (1 - fy) + (g11 - g10) * fy
            grad_offset[b] = (
                torch.stack((grad_y, grad_xx), 1).view(pixels, taps * 2).t()
            ).view_as(offset[b])
        grad_weight = grad_matrix.view(out_channels, kernel, kernel, channels)
        return (
            grad_x,
            grad_offset,
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
