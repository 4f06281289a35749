"""Modulated deformable 3x3 convolution as DyHead uses it, without a compiled mmcv."""

from contextlib import nullcontext
from importlib import import_module

import torch
from torch import Tensor

from glip.compat.mmcv_ext.deform_conv import match_output, without_gradient_outside
from glip.ops.cpu.gather_deform_conv import gather_deform_conv2d
from glip.ops.plain import is_plain


def modulated_deform_conv2d(
    x: Tensor,
    offset: Tensor,
    mask: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int = 1,
    padding: int = 1,
) -> Tensor:
    """Modulated deformable convolution (DCNv2, arXiv 1811.11168).

    The kernel is picked here and nowhere else: the gather form on the CPU, where
    torchvision samples on one thread, and torchvision's kernel elsewhere and on the
    plain path.

    Args:
        x: Input, shape (B, C, H, W).
        offset: (dy, dx) per kernel tap, shape (B, 2*k*k, h, w) with h, w at least
            the output size; a larger field is read flat, see ``match_output``.
        mask: Modulation in 0..1, shape (B, k*k, h, w).
        weight: Shape (O, C, k, k).
        bias: Shape (O,) or None.
        stride: Stride of the convolution in pixels.
        padding: Zero padding in pixels.

    Returns:
        Shape (B, O, Ho, Wo), of the type of ``x`` except under autocast, where it is
        left in float32 for the norm that follows, as in the original. Positions are
        computed in float32 always, as half precision cannot tell neighbouring pixels
        apart; the product of a bfloat16 autocast is one of bfloat16 on the CPU, like
        that of other convolutions, and else it is in float32 too.

    Raises:
        ValueError: If the offset field is smaller than the output.
    """
    kernel = weight.shape[-1]
    height = (x.shape[2] + 2 * padding - kernel) // stride + 1
    width = (x.shape[3] + 2 * padding - kernel) // stride + 1
    offset = match_output(offset, height, width)
    mask = match_output(mask, height, width)
    dtype, device = x.dtype, x.device.type
    mixed = torch.is_autocast_enabled(device)
    x = deform_conv_input(x)
    with torch.autocast(device, enabled=False) if mixed else nullcontext():
        if device == 'cpu' and not is_plain():
            out = gather_deform_conv2d(
                x,
                _wide(offset),
                _wide(mask),
                weight,
                bias,
                stride=stride,
                padding=padding,
            )
        else:
            if mixed or device == 'cpu' or dtype is torch.bfloat16:
                x, offset, mask, weight = map(_wide, (x, offset, mask, weight))
                bias = None if bias is None else _wide(bias)
            if offset.requires_grad:
                offset = without_gradient_outside(
                    offset,
                    x,
                    weight,
                    stride=(stride, stride),
                    padding=(padding, padding),
                )
            kernels = import_module('torchvision.ops')  # takes a second, rarely used
            out = kernels.deform_conv2d(
                x, offset, weight, bias, stride=stride, padding=padding, mask=mask
            )
    return out if mixed else out.to(dtype)


def deform_conv_input(x: Tensor) -> Tensor:
    """A map in the type in which :func:`modulated_deform_conv2d` reads it.

    That function does this itself; to be called where several convolutions read a map,
    which is then copied only once.
    """
    device = x.device.type
    if device != 'cpu' or is_plain() or x.dtype is torch.float64:
        return x
    autocast = torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device)
    if autocast is torch.bfloat16:
        return x.bfloat16()
    return x.float() if x.dtype is torch.float16 else x


def _wide(tensor: Tensor) -> Tensor:
    """At least float32."""
    return tensor.float() if tensor.itemsize < 4 else tensor
