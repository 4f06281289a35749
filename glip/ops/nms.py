"""Non-maximum suppression within classes."""

import torch
from torch import Tensor

from glip.compat.torchvision_kernels import load_kernels

# Boxes from which on classes are gone through one by one, on the CPU and elsewhere.
_ONE_BY_ONE = dict(cpu=1000, other=25_000)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices (K,) of the boxes (N, 4) that no better one overlaps, best first."""
    load_kernels()
    return torch.ops.torchvision.nms(boxes, scores, iou_threshold)


def batched_nms(
    boxes: Tensor, scores: Tensor, labels: Tensor, iou_threshold: float
) -> Tensor:
    """NMS that compares boxes of the same class only, as torchvision's.

    Classes are told apart by moving their boxes away from each other, a thousand
    pictures away with many classes, for which only float64 has the digits.

    Args:
        boxes: Half-open, xyxy, shape (N, 4).
        scores: Shape (N,).
        labels: Class of each, shape (N,).
        iou_threshold: Boxes that overlap a better one by more are dropped.

    Returns:
        Indices kept, shape (K,), in descending order of score.
    """
    if not len(boxes):
        return torch.empty(0, dtype=torch.long, device=boxes.device)
    boxes, scores = boxes.double(), scores.double()
    device = boxes.device.type
    if len(boxes) <= _ONE_BY_ONE.get(device, _ONE_BY_ONE['other']):
        shifts = labels.to(boxes) * (boxes.max() + 1)
        return nms(boxes + shifts[:, None], scores, iou_threshold)
    kept = torch.zeros_like(labels, dtype=torch.bool)
    for label in labels.unique():
        index = (labels == label).nonzero()[:, 0]
        kept[index[nms(boxes[index], scores[index], iou_threshold)]] = True
    index = kept.nonzero()[:, 0]
    return index[scores[index].sort(descending=True)[1]]
