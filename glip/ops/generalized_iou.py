"""Generalised IoU (arXiv 1902.09630) of boxes row by row."""

import torch
from torch import Tensor


def generalized_iou(one: Tensor, other: Tensor, eps: float = 1e-6) -> Tensor:
    """GIoU in -1..1 of corner boxes; their sizes carry no "+1", as in the original.

    Args:
        one: Shape (..., 4).
        other: Shape (..., 4).
        eps: Least area divided by.

    Returns:
        Shape (...).
    """
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    overlap = _area((high - low).clamp(min=0))
    first, second = (_area(b[..., 2:] - b[..., :2]) for b in (one, other))
    union = (first + second - overlap).clamp(min=eps)
    low = torch.minimum(one[..., :2], other[..., :2])
    high = torch.maximum(one[..., 2:], other[..., 2:])
    around = _area((high - low).clamp(min=0)).clamp(min=eps)
    return overlap / union - (around - union) / around


def _area(size: Tensor) -> Tensor:
    return size[..., 0] * size[..., 1]
