"""Deformable convolution as a weighted gather followed by one matrix product.

``embedding_bag`` gathers on every core of a CPU, and the matrix product is the
fastest thing a CPU does, so this is several times faster than a sampling loop. It is
the same arithmetic up to the order of float additions, forward and backward, and both
work in tiles of output pixels: no map of columns is ever held.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.ops.cpu.bilinear_corners import BilinearCorners
from glip.ops.cpu.packed_product import packed_product
from glip.ops.torch_internals import bag_weights_backward, is_recorded

# Output pixels worked on at a time: their columns stay in a CPU's cache. Gradients are
# sorted by target, which is several times faster per value in the larger tile.
_TILE, _GRADIENT_TILE = 512, 1024


def _rows(x: Tensor) -> Tensor:
    """Map (B, C, H, W) to one row per pixel, (B*H*W, C); free of a channels_last map.

    Rows that are views across a map are read many times slower.
    """
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()


def _map(rows: Tensor, like: Tensor) -> Tensor:
    """Rows (B*H*W, C) as the channels_last map of ``like``'s batch and size."""
    batch, _, height, width = like.shape
    channels = rows.shape[1]
    # A view would leave a batch of one a stride by which the layout is not recognised.
    strides = (height * width * channels, 1, width * channels, channels)
    return rows.contiguous().as_strided((batch, channels, height, width), strides)


def _tiles(pixels: int, taps: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """Slices of output pixels and of their reads."""
    for start in range(0, pixels, tile):
        stop = min(start + tile, pixels)
        yield slice(start, stop), slice(start * taps, stop * taps)


def _gather(index: Tensor, weights: Tensor, rows: Tensor, taps: int) -> Tensor:
    """Columns of some output pixels, (n, k*k*C)."""
    bags = F.embedding_bag(index, rows, per_sample_weights=weights, mode='sum')
    return bags.view(-1, taps * rows.shape[1])


def _gather_convolve(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    padding: int,
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
    product = packed_product(weight.permute(0, 2, 3, 1), pixels, bias, x.dtype)
    out = offset.new_empty(pixels, weight.shape[0])
    for part, reads in _tiles(pixels, taps, _TILE):
        out[part] = product(_gather(index[reads], weights[reads], rows, taps))
    return _map(out, mask)


_convolve = torch.library.custom_op(
    'glip::gather_deform_conv2d', _gather_convolve, mutates_args=()
)


@_convolve.register_fake
def _(x, offset, mask, weight, bias, stride, padding):
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
    narrow, wide = weights.to(x.dtype), rows.to(offset.dtype)
    pixels = len(grad_rows)
    product = packed_product(
        weight.permute(2, 3, 1, 0).flatten(0, 2), pixels, dtype=x.dtype
    )
    grad_x = torch.zeros_like(wide)
    grad_matrix = offset.new_zeros(taps * channels, out_channels)
    grad_weights = torch.empty_like(weights)
    for part, reads in _tiles(pixels, taps, _GRADIENT_TILE):
        grad = grad_rows[part].to(x.dtype)
        columns = _gather(index[reads], narrow[reads], rows, taps)
        _add_product(grad_matrix, columns.t(), grad)
        del columns
        grad_columns = product(grad).view(-1, channels).to(offset.dtype)
        grad_weights[reads] = bag_weights_backward(grad_columns, wide, index[reads])
        _scatter(index[reads], weights[reads], grad_columns, grad_x)
    grad_y, grad_at_x, grad_mask = corners.gradients(modulation, grad_weights)
    grad_offset = torch.stack((grad_y, grad_at_x), 1)
    grad_weight = grad_matrix.view(kernel, kernel, channels, out_channels)
    grad_weight = grad_weight.permute(3, 2, 0, 1).to(weight.dtype).contiguous()
    return (
        _map(grad_x.to(x.dtype), x),
        _map(grad_offset.view(pixels, taps * 2), offset),
        _map(grad_mask.view(pixels, taps), mask),
        grad_weight,
    )


def _add_product(total: Tensor, one: Tensor, other: Tensor) -> None:
    if total.dtype is one.dtype:
        total.addmm_(one, other)
    else:
        total += torch.mm(one, other)


def _scatter(index: Tensor, weights: Tensor, columns: Tensor, rows: Tensor) -> None:
    """Transpose of the gather: add to all rows, as a gather sorted by its target."""
    target, order = index.view(-1).sort()
    first, last = int(target[0]), int(target[-1])
    targets = torch.arange(first, last + 1, dtype=target.dtype, device=index.device)
    rows[first : last + 1] += F.embedding_bag(
        order // 4,
        columns,
        torch.searchsorted(target, targets),
        mode='sum',
        per_sample_weights=weights.view(-1)[order],
    )


@_backward.register_fake
def _(grad_out, x, offset, mask, weight, stride, padding):
    return (
        *(_map(_rows(torch.empty_like(t)), t) for t in (x, offset, mask)),
        weight.new_empty(weight.shape),
    )


def _keep(ctx, inputs, output) -> None:
    *tensors, bias, stride, padding = inputs
    ctx.save_for_backward(*tensors)
    ctx.bias = bias is not None
    ctx.geometry = stride, padding


def _differentiate(ctx, grad_out: Tensor):
    with torch.autocast('cpu', enabled=False):
        grads = _backward(grad_out, *ctx.saved_tensors, *ctx.geometry)
    grad_bias = grad_out.sum((0, 2, 3)) if ctx.bias else None
    return *grads, grad_bias, None, None


_convolve.register_autograd(_differentiate, setup_context=_keep)


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
        x: Shape (B, C, H, W). Its type is that of the columns and of the product.
        offset: Shape (B, 2*k*k, Ho, Wo), (dy, dx) per tap, float32 or float64.
        mask: Shape (B, k*k, Ho, Wo), of the type of ``offset``.
        weight: Shape (O, C, k, k), of any type.
        bias: Shape (O,) or None.
        stride: Stride in pixels.
        padding: Zero padding in pixels.

    Returns:
        Shape (B, O, Ho, Wo), of the type of ``offset``, in channels_last memory format.
    """
    function = _convolve if is_recorded() else _gather_convolve
    return function(x, offset, mask, weight, bias, stride, padding)
