"""The four pixels around each position that a deformable convolution reads."""

from functools import lru_cache

import torch
from torch import Tensor


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
        grid = _grid(tuple(offset.shape[2:]), kernel, stride, padding).to(offset)
        shift = offset.unflatten(1, (-1, 2)).permute(2, 0, 3, 4, 1)
        # Of all here the axis, y or x, comes first; then the neighbour along it, the
        # lower or the higher; then the read.
        position = torch.add(shift, grid, out=offset.new_empty(shift.shape))
        position = position.view(2, 1, -1)
        low = position.floor()
        fraction = position - low
        step = torch.arange(2, dtype=low.dtype, device=low.device)[:, None]
        whole = low + step
        # Far away is outside, and what is no number must not become an index.
        last = whole.new_tensor([height - 1, width - 1]).view(2, 1, 1)
        clamped = torch.minimum(whole.clamp(min=0), last)
        self._inside = whole.eq_(clamped)  # 1 for a neighbour in the map, else 0
        # 1 - fraction and fraction
        self._weight = ((1 - step) - fraction).abs_().mul_(self._inside)
        self._pixel = clamped.nan_to_num_(0).int()
        self._pixel[0].mul_(width)
        for picture in range(1, len(offset)):
            reads = self._pixel[0].view(2, len(offset), -1)
            reads[:, picture].add_(picture * height * width)

    def bags(self, mask: Tensor) -> tuple[Tensor, Tensor]:
        """All reads as ``embedding_bag`` takes them.

        Args:
            mask: Modulation, shape (N,).

        Returns:
            Rows in the maps (B*H*W, C), int32, and their weights, each (N, 4).
        """
        index = mask.new_empty(len(mask), 4, dtype=torch.int32)
        weight = mask.new_empty(len(mask), 4)
        rows, columns = self._pixel
        y, x = self._weight
        masked = y * mask
        for number, (a, b) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            torch.add(rows[a], columns[b], out=index[:, number])
            torch.mul(masked[a], x[b], out=weight[:, number])
        return index, weight

    def gradients(self, mask: Tensor, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a gradient of the weights of :meth:`bags` means for its sources.

        Args:
            mask: Modulation, shape (N,).
            grad: Gradient of the weights, shape (N, 4).

        Returns:
            Gradients of y, x and the modulation, each (N,).
        """
        (y0, y1), (x0, x1) = self._weight
        inside = self._inside[:, 0]
        # 1 where the higher neighbour pulls a position, which it does not at -1
        # exactly: see glip.compat.mmcv_ext.deform_conv.without_gradient_outside.
        reached = self._inside[:, 1] * ((inside + self._weight[:, 1]) > 0)
        g00, g01, g10, g11 = grad.unbind(1)
        at_y0, at_y1 = g00 * x0 + g01 * x1, g10 * x0 + g11 * x1
        at_x0, at_x1 = g00 * y0 + g10 * y1, g01 * y0 + g11 * y1
        grad_y = (at_y1 * reached[0] - at_y0 * inside[0]) * mask
        grad_x = (at_x1 * reached[1] - at_x0 * inside[1]) * mask
        return grad_y, grad_x, at_y0 * y0 + at_y1 * y1


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _grid(size: tuple[int, int], kernel: int, stride: int, padding: int) -> Tensor:
    """Where taps read without offsets, (2, 1, Ho, Wo, k*k), on the CPU."""
    tap = torch.arange(kernel * kernel)
    top, left = (torch.arange(n) * stride - padding for n in size)
    y = (top[:, None, None] + tap // kernel).expand(*size, -1)
    x = (left[:, None] + tap % kernel).expand(*size, -1)
    return torch.stack((y, x))[:, None].float()
