"""Pooling of regions of interest (RoIs)."""

import torch
from torch import Tensor

from .common import computable, gradients, torchvision_ops

_AVERAGE = 1


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Average of interpolated samples in each bin of each RoI.

    Args:
        input: Shape (B, C, H, W).
        rois: (picture, x1, y1, x2, y2) in pixels of the picture, shape (N, 5).
        output: Receives the result, shape (N, C, aligned_height, aligned_width).
        argmax_y: Place of the maximum, for max pooling; as is ``argmax_x``.
        argmax_x: See ``argmax_y``.
        aligned_height: Bins per column.
        aligned_width: Bins per row.
        spatial_scale: Pixels of ``input`` per pixel of the picture.
        sampling_ratio: Samples per side of a bin; 0: as many as pixels.
        pool_mode: 1 for averages.
        aligned: Whether pixel centres are half a pixel from the corners.

    Raises:
        NotImplementedError: Max pooling, which torchvision does not have.
    """
    if pool_mode != _AVERAGE:
        raise NotImplementedError(
            "roi_align with pool_mode='max' needs an mmcv that has its ops compiled; "
            "torchvision, which stands in, has pool_mode='avg'"
        )
    input = computable(input)
    output.copy_(
        torchvision_ops().roi_align(
            input,
            rois.to(input.dtype),
            (aligned_height, aligned_width),
            spatial_scale,
            sampling_ratio,
            aligned,
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    *,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of the input; see :func:`roi_align_forward`."""

    def pool(input: Tensor) -> Tensor:
        return torchvision_ops().roi_align(
            input,
            rois.to(input.dtype),
            (aligned_height, aligned_width),
            spatial_scale,
            sampling_ratio,
            aligned,
        )

    # Averages are linear: the input's values do not matter, and mmcv gives none.
    (found,) = gradients(pool, [computable(torch.zeros_like(grad_input))], grad_output)
    grad_input.copy_(found)


def roi_pool_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Maximum of each bin of each RoI.

    torchvision rounds the corners of an RoI to whole pixels and mmcv does not, so this
    is written out; it is slow for many RoIs.

    Args:
        input: Shape (B, C, H, W).
        rois: (picture, x1, y1, x2, y2) in pixels, the last ones included; (N, 5).
        output: Receives the maxima, shape (N, C, pooled_height, pooled_width); bins
            without a pixel get 0.
        argmax: Receives their places as ``y * W + x``, or -1; int32, same shape.
        pooled_height: Bins per column.
        pooled_width: Bins per row.
        spatial_scale: Pixels of ``input`` per pixel of the picture.
    """
    height, width = input.shape[2:]
    output.zero_()
    argmax.fill_(-1)
    for index, (picture, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = corners
        rows = _bins(y1, y2, pooled_height, spatial_scale, height)
        columns = _bins(x1, x2, pooled_width, spatial_scale, width)
        for i, (top, bottom) in enumerate(rows):
            for j, (left, right) in enumerate(columns):
                if top >= bottom or left >= right:
                    continue
                part = input[int(picture), :, top:bottom, left:right].flatten(1)
                value, place = part.max(dim=1)
                row = top + place // (right - left)
                column = left + place % (right - left)
                output[index, :, i, j] = value
                argmax[index, :, i, j] = (row * width + column).to(argmax.dtype)


def roi_pool_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax: Tensor,
    grad_input: Tensor,
    *,
    pooled_height: int,
    pooled_width: int,
    spatial_scale: float,
) -> None:
    """Write the gradient of the input; see :func:`roi_pool_forward`."""
    flat = grad_input.flatten(2)
    place = argmax.flatten(2).long()
    values = torch.where(place < 0, 0.0, grad_output.flatten(2))
    for index, picture in enumerate(rois[:, 0].long().tolist()):
        flat[picture].scatter_add_(1, place[index].clamp(min=0), values[index])
    grad_input.copy_(flat.view_as(grad_input))


def _bins(
    start: float, end: float, count: int, scale: float, limit: int
) -> list[tuple[int, int]]:
    """First and past-the-last pixel of each bin along one axis."""
    start, end = start * scale, (end + 1) * scale
    if end <= start:
        return [(0, 0)] * count
    # In float32 as in the kernel: a bin that ends on a pixel must not gain another.
    begin = torch.tensor(start, dtype=torch.float32)
    size = torch.tensor(end - start, dtype=torch.float32) / count
    edges = torch.arange(count + 1, dtype=torch.float32) * size + begin
    first = edges[:-1].floor().clamp(0, limit).int().tolist()
    last = edges[1:].ceil().clamp(0, limit).int().tolist()
    return list(zip(first, last))
