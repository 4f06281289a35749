"""Deformable convolution of a CPU, where torchvision's samples on one thread."""

from contextlib import nullcontext

import torch
from torch import Tensor

from glip.ops import deform_conv as reference
from glip.ops.cpu.gather_deform_conv import gather_deform_conv2d
from glip.ops.deform_conv import fields_of_output, in_float32
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
    """As :func:`glip.ops.modulated_deform_conv2d`, on the CPU by the gather form.

    Other devices and the plain path take the reference form. The product of a bfloat16
    autocast is one of bfloat16, like that of other convolutions; else it is in float32
    at least.
    """
    if not _gathers(x):
        return reference.modulated_deform_conv2d(
            x, offset, mask, weight, bias, stride=stride, padding=padding
        )
    offset, mask = fields_of_output(x, offset, mask, weight, stride, padding)
    dtype, mixed = x.dtype, torch.is_autocast_enabled('cpu')
    x = deform_conv_input(x)
    with torch.autocast('cpu', enabled=False) if mixed else nullcontext():
        out = gather_deform_conv2d(
            x,
            in_float32(offset),
            in_float32(mask),
            weight,
            bias,
            stride=stride,
            padding=padding,
        )
    return out if mixed else out.to(dtype)


def deform_conv_input(x: Tensor) -> Tensor:
    """A map in the type in which :func:`modulated_deform_conv2d` reads it.

    That function does this itself; to be called where several convolutions read a map,
    which is then copied only once.
    """
    if not _gathers(x) or x.dtype is torch.float64:
        return x
    if torch.is_autocast_enabled('cpu'):
        if torch.get_autocast_dtype('cpu') is torch.bfloat16:
            return x.bfloat16()
    return x.float() if x.dtype is torch.float16 else x


def _gathers(x: Tensor) -> bool:
    return x.device.type == 'cpu' and not is_plain()
