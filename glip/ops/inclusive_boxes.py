"""Box algebra of the original model, in which a box includes its last pixel.

Boxes are xyxy with ``x2 = x1 + width - 1`` (the convention of maskrcnn-benchmark that
GLIP was trained with); widths and areas therefore carry a "+1".
"""

import math

import torch
from torch import Tensor

from glip.ops.nms import batched_nms

# Largest log-ratio a prediction may grow an anchor by; there is no lower bound.
MAX_LOG_RATIO = math.log(1000 / 16)
CODER_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def _center_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    top_left, bottom_right = boxes[..., :2], boxes[..., 2:]
    return (top_left + bottom_right) / 2, bottom_right - top_left + 1


def encode_inclusive(
    anchors: Tensor, boxes: Tensor, weights: tuple[float, ...] = CODER_WEIGHTS
) -> Tensor:
    """Regression targets (dx, dy, dw, dh), shape (N, 4), that turn anchors to boxes."""
    center, size = _center_size(anchors)
    box_center, box_size = _center_size(boxes)
    deltas = torch.cat(((box_center - center) / size, (box_size / size).log()), -1)
    return torch.stack(
        [d * w for d, w in zip(deltas.unbind(-1), weights, strict=True)], -1
    )


def decode_inclusive(
    anchors: Tensor, deltas: Tensor, weights: tuple[float, ...] = CODER_WEIGHTS
) -> Tensor:
    """Boxes, shape (N, 4), that the deltas make of the anchors."""
    center, size = _center_size(anchors)
    # Column by column: a tensor of the weights would be a copy from the host.
    deltas = torch.stack(
        [d / w for d, w in zip(deltas.unbind(-1), weights, strict=True)], -1
    )
    center = center + deltas[..., :2] * size
    half = (size * deltas[..., 2:].clamp(max=MAX_LOG_RATIO).exp() - 1) / 2
    return torch.cat((center - half, center + half), -1)


def clip_inclusive(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes moved into a picture whose last pixel is (width - 1, height - 1)."""
    x = boxes[..., 0::2].clamp(0, width - 1)
    y = boxes[..., 1::2].clamp(0, height - 1)
    return torch.stack((x, y), -1).flatten(-2)


def half_open(boxes: Tensor) -> Tensor:
    """Inclusive boxes (N, 4) as those that end where their last pixel ends."""
    return torch.cat((boxes[:, :2], boxes[:, 2:] + 1), 1)


def iou_inclusive(one: Tensor, other: Tensor) -> Tensor:
    """IoU of boxes with the "+1" sizes of the original; shapes (..., 4) broadcast."""
    low = torch.maximum(one[..., :2], other[..., :2])
    high = torch.minimum(one[..., 2:], other[..., 2:])
    overlap = (high - low + 1).clamp(min=0).prod(-1)
    areas = (b[..., 2:] - b[..., :2] + 1 for b in (one, other))
    first, second = (size.prod(-1) for size in areas)
    return overlap / (first + second - overlap)


def batched_nms_inclusive(
    boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float
) -> Tensor:
    """Per-label NMS with the "+1" areas of the original's CUDA kernel.

    Of half-open boxes the plain areas and intersections are the "+1" ones, so
    torchvision's kernel serves.

    Returns:
        Indices kept, in descending order of score.
    """
    return batched_nms(half_open(boxes), scores, labels, iou_threshold)
