"""Modulated deformable 3x3 convolution as DyHead uses it, without a compiled mmcv."""

from contextlib import nullcontext

import torch
from torch import Tensor

from glip.compat.mmcv_ext.deform_conv import match_output, without_gradient_outside


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
        apart.

    Raises:
        ValueError: If the offset field is smaller than the output.
    """
    offset, mask = fields_of_output(x, offset, mask, weight, stride, padding)
    dtype, device = x.dtype, x.device.type
    mixed = torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if mixed else nullcontext():
        if mixed or device == 'cpu' or dtype is torch.bfloat16:
            x, offset, mask, weight = map(in_float32, (x, offset, mask, weight))
            bias = None if bias is None else in_float32(bias)
        if offset.requires_grad:
            offset = without_gradient_outside(
                offset, x, weight, stride=(stride, stride), padding=(padding, padding)
            )
        # Takes a second, and is rarely used.
        from torchvision.ops import deform_conv2d

        out = deform_conv2d(
            x, offset, weight, bias, stride=stride, padding=padding, mask=mask
        )
    return out if mixed else out.to(dtype)


def fields_of_output(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int, padding: int
) -> tuple[Tensor, Tensor]:
    """Offsets and mask in the size of the output, see ``match_output``."""
    kernel = weight.shape[-1]
    height = (x.shape[2] + 2 * padding - kernel) // stride + 1
    width = (x.shape[3] + 2 * padding - kernel) // stride + 1
    return match_output(offset, height, width), match_output(mask, height, width)


def in_float32(tensor: Tensor) -> Tensor:
    """The tensor, in float32 where its type is narrower."""
    return tensor.float() if tensor.itemsize < 4 else tensor
