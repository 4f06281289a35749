"""Non-maximum suppression (``mmcv/ops/csrc/pytorch/cpu/nms.cpp``)."""

import torch
from torch import Tensor

from .common import computable, torchvision_ops

_NAIVE, _LINEAR = 0, 1


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Drop boxes that overlap a better one by more than the threshold.

    Args:
        boxes: (x1, y1, x2, y2) in pixels, shape (N, 4).
        scores: Shape (N,).
        iou_threshold: Overlap that is still kept.
        offset: Added to widths and heights: 1 for boxes whose last pixel belongs to
            them.

    Returns:
        Indices of the boxes that are kept, best first, shape (K,).
    """
    boxes = computable(boxes)
    if offset:
        boxes = boxes + boxes.new_tensor([0, 0, offset, offset])
    return torchvision_ops().nms(boxes, scores.to(boxes.dtype), iou_threshold)


def softnms(
    boxes: Tensor,
    scores: Tensor,
    dets: Tensor,
    iou_threshold: float,
    sigma: float,
    min_score: float,
    method: int,
    offset: int,
) -> Tensor:
    """Lower the scores of boxes that overlap a better one (arXiv 1704.04503).

    Args:
        boxes: Shape (N, 4).
        scores: Shape (N,).
        dets: Shape (N, 5); its first K rows are set to boxes with their new scores.
        iou_threshold: Overlap from which on the naive method (0) drops a box and the
            linear one (1) multiplies its score by one minus the overlap.
        sigma: Spread of the Gaussian method (2).
        min_score: Boxes whose score falls below are dropped.
        method: 0, 1 or 2.
        offset: As in :func:`nms`.

    Returns:
        Indices of the boxes that are kept, in order of selection, shape (K,).
    """
    scores = scores.clone()
    alive = torch.ones_like(scores, dtype=torch.bool)
    kept: list[int] = []
    while alive.any():
        best = int(scores.masked_fill(~alive, -torch.inf).argmax())
        dets[len(kept), :4] = boxes[best]
        dets[len(kept), 4] = scores[best]
        kept.append(best)
        alive[best] = False
        overlap = _overlaps(boxes[best], boxes, offset)
        if method == _NAIVE:
            weight = (overlap < iou_threshold).to(scores)
        elif method == _LINEAR:
            weight = torch.where(overlap >= iou_threshold, 1 - overlap, 1.0)
        else:
            weight = torch.exp(-(overlap**2) / sigma)
        scores = torch.where(alive, scores * weight, scores)
        alive &= scores >= min_score
    return torch.tensor(kept, dtype=torch.long)


def nms_match(dets: Tensor, iou_threshold: float) -> list[list[int]]:
    """Group each kept box with the ones that it suppresses.

    Args:
        dets: (x1, y1, x2, y2, score), shape (N, 5).
        iou_threshold: Overlap from which on a box is suppressed.

    Returns:
        One list of indices per kept box: itself, then the others by score.
    """
    boxes = dets[:, :4]
    waiting = dets[:, 4].argsort(descending=True, stable=True)
    groups = []
    while len(waiting):
        best = waiting[0]
        rest = waiting[1:]
        suppressed = _overlaps(boxes[best], boxes[rest], 0) >= iou_threshold
        groups.append([int(best), *rest[suppressed].tolist()])
        waiting = rest[~suppressed]
    return groups


def _overlaps(box: Tensor, boxes: Tensor, offset: int) -> Tensor:
    """Intersection over union of one box (4,) with others (N, 4), shape (N,)."""
    corner = torch.maximum(box[:2], boxes[:, :2])
    sides = (torch.minimum(box[2:], boxes[:, 2:]) - corner + offset).clamp(min=0)
    common = sides.prod(dim=-1)
    areas = (boxes[:, 2:] - boxes[:, :2] + offset).prod(dim=-1)
    return common / ((box[2:] - box[:2] + offset).prod() + areas - common)
