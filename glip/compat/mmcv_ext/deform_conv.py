"""Deformable convolutions v1 (arXiv 1703.06211) and v2 (arXiv 1811.11168)."""

from typing import Any

import torch
from torch import Tensor

from .common import computable, gradients, torchvision_ops


def _deform_conv2d(*args: Any, **options: Any) -> Tensor:
    return torchvision_ops().deform_conv2d(*args, **options)


def deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    offset: Tensor,
    output: Tensor,
    columns: Tensor,
    ones: Tensor,
    **geometry: int,
) -> None:
    """Convolve at shifted positions.

    Args:
        input: Shape (B, C, H, W).
        weight: Shape (O, C / groups, k, k).
        offset: (dy, dx) per tap in pixels, shape (B, deform_groups*2*k*k, Ho, Wo).
        output: Receives the result, shape (B, O, Ho, Wo).
        columns: Scratch of the compiled op, unused; as is ``ones``.
        ones: Unused.
        geometry: ``dH``, ``dW`` (stride), ``padH``, ``padW``, ``dilationH`` and so on;
            kernel and groups follow from the shapes.
    """
    output.copy_(
        _deform_conv2d(
            computable(input),
            computable(offset),
            computable(weight),
            **_v1_geometry(geometry),
        )
    )


def deform_conv_backward_input(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_input: Tensor,
    grad_offset: Tensor,
    weight: Tensor,
    columns: Tensor,
    **geometry: int,
) -> None:
    """Write gradients of input and offsets; see :func:`deform_conv_forward`."""
    where = _v1_geometry(geometry)

    def convolve(input: Tensor, offset: Tensor) -> Tensor:
        offset = without_gradient_outside(offset, input, weight, **where)
        return _deform_conv2d(input, offset, computable(weight), **where)

    inputs = (computable(input), computable(offset))
    _copy(gradients(convolve, inputs, grad_output), grad_input, grad_offset)


def deform_conv_backward_parameters(
    input: Tensor,
    offset: Tensor,
    grad_output: Tensor,
    grad_weight: Tensor,
    columns: Tensor,
    ones: Tensor,
    *,
    scale: float,
    **geometry: int,
) -> None:
    """Add ``scale`` times its gradient to the weight's."""

    def convolve(weight: Tensor) -> Tensor:
        return _deform_conv2d(
            computable(input), computable(offset), weight, **_v1_geometry(geometry)
        )

    (found,) = gradients(convolve, [computable(grad_weight)], grad_output)
    grad_weight.add_(found.to(grad_weight), alpha=scale)


def modulated_deform_conv_forward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    output: Tensor,
    columns: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Convolve at shifted positions, each weighted.

    Args:
        input: Shape (B, C, H, W).
        weight: Shape (O, C / groups, k, k).
        bias: Shape (O,), or (0,) without one.
        ones: Scratch of the compiled op, unused; as is ``columns``.
        offset: (dy, dx) per tap, shape (B, deform_groups*2*k*k, h, w) with h and w the
            output's or larger, see :func:`match_output`.
        mask: Weight per tap, shape (B, deform_groups*k*k, h, w).
        output: Receives the result, shape (B, O, Ho, Wo).
        columns: Unused.
        with_bias: Whether ``bias`` is one.
        geometry: ``stride_h``, ``pad_h``, ``dilation_h`` and so on.
    """
    output.copy_(
        _modulated(
            *map(computable, (input, offset, mask, weight)),
            computable(bias) if with_bias else None,
            size=output.shape[2:],
            geometry=geometry,
        )
    )


def modulated_deform_conv_backward(
    input: Tensor,
    weight: Tensor,
    bias: Tensor,
    ones: Tensor,
    offset: Tensor,
    mask: Tensor,
    columns: Tensor,
    grad_input: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    grad_offset: Tensor,
    grad_mask: Tensor,
    grad_output: Tensor,
    *,
    with_bias: bool,
    **geometry: int,
) -> None:
    """Write all gradients; see :func:`modulated_deform_conv_forward`."""

    def convolve(*tensors: Tensor) -> Tensor:
        return _modulated(*tensors, size=grad_output.shape[2:], geometry=geometry)

    inputs = [input, offset, mask, weight]
    targets = [grad_input, grad_offset, grad_mask, grad_weight]
    if with_bias:
        inputs.append(bias)
        targets.append(grad_bias)
    found = gradients(convolve, [computable(one) for one in inputs], grad_output)
    _copy(found, *targets)


def match_output(field: Tensor, height: int, width: int) -> Tensor:
    """Read offsets or weights that were made for a larger map as the kernel does.

    mmcv's kernel does not compare sizes. It takes a picture's values as flat memory
    with the strides of the *output* map, so of a larger field it uses the first
    ``channels * height * width``. DyHead (arXiv 2106.08322) feeds it such fields, and
    its trained weights depend on this reading.

    Raises:
        ValueError: The field is smaller than the output; the kernel would read past
            its end.
    """
    batch, channels = field.shape[:2]
    if field.shape[2:] == (height, width):
        return field
    needed = channels * height * width
    if field[0].numel() < needed:
        raise ValueError(
            f'offsets or mask of shape {tuple(field.shape)} are smaller than the '
            f'output map {height}x{width}'
        )
    return field.reshape(batch, -1)[:, :needed].reshape(batch, channels, height, width)


def without_gradient_outside(
    offset: Tensor,
    input: Tensor,
    weight: Tensor,
    *,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Tensor:
    """Offsets whose gradient is 0 where a tap reads a pixel or more outside of the map.

    So it is in mmcv's kernel and in the original's. torchvision's gives the slope
    towards the map where a tap lies at -1 exactly, as the taps at the upper and left
    border do as long as offsets are 0.

    Args:
        offset: (dy, dx) per tap, shape (B, deform_groups*2*k*k, Ho, Wo).
        input: Shape (B, C, H, W).
        weight: Shape (O, C / groups, k, k).
        stride: (vertical, horizontal) in pixels.
        padding: As ``stride``.
        dilation: As ``stride``.
    """
    fixed = offset.detach()
    shifts = fixed.unflatten(1, (-1, *weight.shape[2:], 2))
    inside = torch.ones_like(shifts[:, :, :, :, 0], dtype=torch.bool)
    for axis in (0, 1):
        taps = torch.arange(weight.shape[2 + axis], device=offset.device)
        outputs = torch.arange(offset.shape[2 + axis], device=offset.device)
        tap = taps * dilation[axis] - padding[axis]
        place = outputs * stride[axis]
        # To the shape (rows of taps, columns of taps, rows, columns).
        tap, place = (t[:, None] if axis == 0 else t[None] for t in (tap, place))
        position = shifts[:, :, :, :, axis] + (tap[:, :, None, None] + place)
        inside &= (position > -1) & (position < input.shape[2 + axis])
    inside = inside[:, :, :, :, None].expand_as(shifts).flatten(1, 4)
    return torch.where(inside, offset, fixed)


def _modulated(
    input: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    size: tuple[int, int],
    geometry: dict[str, int],
) -> Tensor:
    where = {
        'stride': (geometry['stride_h'], geometry['stride_w']),
        'padding': (geometry['pad_h'], geometry['pad_w']),
        'dilation': (geometry['dilation_h'], geometry['dilation_w']),
    }
    offset = match_output(offset, *size)
    if offset.requires_grad:
        offset = without_gradient_outside(offset, input, weight, **where)
    mask = match_output(mask, *size)
    return _deform_conv2d(input, offset, weight, bias, mask=mask, **where)


def _v1_geometry(geometry: dict[str, int]) -> dict[str, tuple[int, int]]:
    return {
        'stride': (geometry['dH'], geometry['dW']),
        'padding': (geometry['padH'], geometry['padW']),
        'dilation': (geometry['dilationH'], geometry['dilationW']),
    }


def _copy(values: tuple[Tensor, ...], *targets: Tensor) -> None:
    for target, value in zip(targets, values, strict=True):
        target.copy_(value)
