"""How much boxes overlap."""

from __future__ import annotations

import numpy as np


def overlaps(
    detections: np.ndarray, boxes: np.ndarray, crowds: np.ndarray | None = None
) -> np.ndarray:
    """IoU of each pair; with a crowd, the share of the detection that lies in it.

    Args:
        detections: (N, 4) x1 y1 x2 y2.
        boxes: (M, 4).
        crowds: (M,) whether each stands for a crowd.

    Returns:
        (N, M).
    """
    low = np.maximum(detections[:, None, :2], boxes[None, :, :2])
    high = np.minimum(detections[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    areas = (detections[:, 2:] - detections[:, :2]).clip(min=0).prod(axis=1)[:, None]
    box_areas = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)[None]
    union = areas + box_areas - shared
    if crowds is not None:
        union = np.where(crowds[None], areas, union)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
