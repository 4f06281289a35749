"""Deformable convolution as a weighted gather followed by one matrix product.

``embedding_bag`` gathers on every core of a CPU, and the matrix product is the
fastest thing a CPU does, so this is several times faster than a sampling loop. It is
the same arithmetic up to the order of float additions, forward and backward, and both
work in tiles of output pixels: no map of columns is ever held.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import conv_flop_count, register_flop_formula

from .bilinear_corners import BilinearCorners
from .packed_product import packed_product

# Output pixels worked on at a time: their columns stay in a CPU's cache.
_TILE = 512


def _rows(x: Tensor) -> Tensor:
    """Map (B, C, H, W) to one row per pixel, (B*H*W, C); free of a channels_last map.

    Rows that are views across a map are read many times slower.
    """
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _map(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (B*H*W, C) as the channels_last map of ``like``'s batch and size."""
    batch, _, height, width = like.shape
    return rows.view(batch, height, width, rows.shape[-1]).permute(0, 3, 1, 2)


def _tiles(pixels: int, taps: int):
    """Slices of output pixels and of their reads."""
    for start in range(0, pixels, _TILE):
        stop = min(start + _TILE, pixels)
        yield slice(start, stop), slice(start * taps, stop * taps)


def _gather(index: Tensor, weights: Tensor, rows: Tensor, taps: int) -> Tensor:
    """Columns of some output pixels, (n, k*k*C)."""
    bags = F.embedding_bag(index, rows, per_sample_weights=weights, mode='sum')
    return bags.view(-1, taps * rows.shape[1])


@torch.library.custom_op('glip::gather_deform_conv2d', mutates_args=())
def _convolve(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    kernel = weight.shape[-1]
    taps = kernel * kernel
    corners = BilinearCorners(
        offset, *x.shape[2:], kernel=kernel, stride=stride, padding=padding
    )
    rows = _rows(x)
    index, weights = corners.bags(_rows(mask).view(-1))
    weights = weights.to(x.dtype)
    pixels = len(weights) // taps
    product = packed_product(weight.permute(0, 2, 3, 1).flatten(1), pixels)
    out = offset.new_empty(pixels, weight.shape[0])
    for part, reads in _tiles(pixels, taps):
        out[part] = product(_gather(index[reads], weights[reads], rows, taps))
    return _map(out, mask)


@_convolve.register_fake
def _(x, offset, mask, weight, stride, padding):
    batch, _, height, width = mask.shape
    return _map(offset.new_empty(batch * height * width, weight.shape[0]), mask)


@torch.library.custom_op('glip::gather_deform_conv2d_backward', mutates_args=())
def _backward(
    grad_out: Tensor,
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    stride: int,
    padding: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    out_channels, channels, kernel, _ = weight.shape
    taps = kernel * kernel
    corners = BilinearCorners(
        offset, *x.shape[2:], kernel=kernel, stride=stride, padding=padding
    )
    rows, grad_rows, modulation = _rows(x), _rows(grad_out), _rows(mask).view(-1)
    index, weights = corners.bags(modulation)
    pixels = len(grad_rows)
    matrix = weight.permute(0, 2, 3, 1).flatten(1)
    product = packed_product(matrix.t(), pixels)
    grad_x = torch.zeros_like(rows)
    grad_matrix = matrix.new_zeros(taps * channels, out_channels)
    grad_weights = torch.empty_like(weights)
    for part, reads in _tiles(pixels, taps):
        grad = grad_rows[part]
        columns = _gather(index[reads], weights[reads], rows, taps)
        grad_matrix.addmm_(columns.t(), grad)
        grad_columns = product(grad).view(-1, channels)
        grad_weights[reads] = _corner_dots(grad_columns, rows, index[reads])
        # Its memory takes each corner's share of the gradient in turn.
        share = columns.view(-1, channels)
        for number in range(4):
            target, factor = corners.corner(reads, number, modulation)
            torch.mul(grad_columns, factor[:, None], out=share)
            grad_x.index_add_(0, target, share)
    grad_y, grad_at_x, grad_mask = corners.gradients(modulation, grad_weights)
    grad_offset = torch.stack((grad_y, grad_at_x), 1)
    grad_weight = grad_matrix.view(kernel, kernel, channels, out_channels)
    return (
        _map(grad_x, x),
        _map(grad_offset.view(pixels, taps * 2), offset),
        _map(grad_mask.view(pixels, taps), mask),
        grad_weight.permute(3, 2, 0, 1).contiguous(),
    )


def _corner_dots(grad_columns: Tensor, rows: Tensor, index: Tensor) -> Tensor:
    """Inner product of each column's gradient with its four gathered rows."""
    count = index.shape[0]
    each = torch.arange(count, dtype=index.dtype, device=index.device)
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        grad_columns, rows, index.view(-1), each * 4, each.repeat_interleave(4), 0
    ).view(count, 4)


@_backward.register_fake
def _(grad_out, x, offset, mask, weight, stride, padding):
    return (
        *(_map(_rows(torch.empty_like(t)), t) for t in (x, offset, mask)),
        weight.new_empty(weight.shape),
    )


def _keep(ctx, inputs, output) -> None:
    *tensors, stride, padding = inputs
    ctx.save_for_backward(*tensors)
    ctx.geometry = stride, padding


def _differentiate(ctx, grad_out: Tensor):
    with torch.autocast('cpu', enabled=False):
        grads = _backward(grad_out, *ctx.saved_tensors, *ctx.geometry)
    return *grads, None, None


_convolve.register_autograd(_differentiate, setup_context=_keep)


@register_flop_formula(torch.ops.glip.gather_deform_conv2d)
def _flops(x_shape, offset_shape, mask_shape, weight_shape, *args, out_shape, **kwargs):
    """As many as a plain convolution has."""
    return conv_flop_count(x_shape, weight_shape, out_shape)


@register_flop_formula(torch.ops.glip.gather_deform_conv2d_backward)
def _backward_flops(grad_shape, x_shape, offset_shape, mask_shape, weight_shape, *_):
    return 2 * conv_flop_count(x_shape, weight_shape, grad_shape)


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
        Shape (B, O, Ho, Wo), in channels_last memory format.
    """
    out = _convolve(x, offset, mask, weight, stride, padding)
    return out if bias is None else out + bias.view(1, -1, 1, 1)
