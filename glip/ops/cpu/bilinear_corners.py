"""The four pixels around each position that a deformable convolution reads."""

from typing import NamedTuple

import torch
from torch import Tensor


class _Axis(NamedTuple):
    """The lower and the higher neighbour along one axis, each of shape (N,).

    Attributes:
        pixel: Whole coordinates, clamped into the map, int32.
        weight: Linear weights, 0 for a neighbour outside.
        inside: 1 for a neighbour in the map, else 0.
    """

    pixel: tuple[Tensor, Tensor]
    weight: tuple[Tensor, Tensor]
    inside: tuple[Tensor, Tensor]


def _axis(position: Tensor, size: int) -> _Axis:
    low = position.floor()
    fraction = position - low
    neighbours = []
    for whole, weight in ((low, 1 - fraction), (low + 1, fraction)):
        # Far away is outside, and what is no number must not become an index.
        clamped = whole.clamp(0, size - 1)
        inside = whole.eq_(clamped)
        neighbours.append((clamped.nan_to_num_(0).int(), weight.mul_(inside), inside))
    return _Axis(*zip(*neighbours, strict=True))


def _reached(axis: _Axis) -> Tensor:
    """1 where the higher neighbour pulls a position, which it does not at -1 exactly.

    See :func:`glip.compat.mmcv_ext.deform_conv.without_gradient_outside`.
    """
    return axis.inside[1] * ((axis.inside[0] + axis.weight[1]) > 0)


class BilinearCorners:
    """Bilinear reads of all N = B*Ho*Wo*k*k pairs of output pixel and kernel tap.

    Args:
        offset: (dy, dx) per tap in pixels, shape (B, 2*k*k, Ho, Wo).
        height: Rows of the input map.
        width: Columns of the input map.
        kernel: Side of the kernel, k.
        stride: Stride in pixels.
        padding: Zero padding in pixels.
    """

    def __init__(
        self,
        offset: Tensor,
        height: int,
        width: int,
        *,
        kernel: int,
        stride: int,
        padding: int,
    ) -> None:
        batch, device = offset.shape[0], offset.device
        tap = torch.arange(kernel * kernel, device=device)
        top, left = (
            torch.arange(size, device=device) * stride - padding
            for size in offset.shape[2:]
        )
        y = (top[:, None, None] + tap // kernel).to(offset.dtype)
        x = (left[:, None] + tap % kernel).to(offset.dtype)
        shift = offset.permute(0, 2, 3, 1)
        self._y = _axis((shift[..., 0::2] + y).flatten(), height)
        self._x = _axis((shift[..., 1::2] + x).flatten(), width)
        first = torch.arange(batch, dtype=torch.int32, device=device) * (height * width)
        for index in self._y.pixel:
            index.mul_(width).view(shift.shape[:3] + tap.shape).add_(
                first[:, None, None, None]
            )

    def bags(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """All reads as ``embedding_bag`` takes them.

        Args:
            mask: Modulation, shape (N,).

        Returns:
            Rows in the maps (B*H*W, C), int32, and their weights, each (N, 4).
        """
        index = mask.new_empty(len(mask), 4, dtype=torch.int32)
        weight = mask.new_empty(len(mask), 4)
        masked = [w * mask for w in self._y.weight]
        for number, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            torch.add(self._y.pixel[a], self._x.pixel[b], out=index[:, number])
            torch.mul(masked[a], self._x.weight[b], out=weight[:, number])
        return index, weight

    def gradients(self, mask: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a gradient of the weights of :meth:`bags` means for its sources.

        Args:
            mask: Modulation, shape (N,).
            grad: Gradient of the weights, shape (N, 4).

        Returns:
            Gradients of y, x and the modulation, each (N,).
        """
        (y0, y1), (x0, x1) = self._y.weight, self._x.weight
        g00, g01, g10, g11 = grad.unbind(1)
        at_y0, at_y1 = g00 * x0 + g01 * x1, g10 * x0 + g11 * x1
        at_x0, at_x1 = g00 * y0 + g10 * y1, g01 * y0 + g11 * y1
        grad_y = (at_y1 * _reached(self._y) - at_y0 * self._y.inside[0]) * mask
        grad_x = (at_x1 * _reached(self._x) - at_x0 * self._x.inside[0]) * mask
        return grad_y, grad_x, at_y0 * y0 + at_y1 * y1
