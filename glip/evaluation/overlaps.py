"""How much boxes overlap."""

from __future__ import annotations

import numpy as np


def overlaps(
    found: np.ndarray, boxes: np.ndarray, crowds: np.ndarray | None = None
) -> np.ndarray:
    """IoU of each pair; with a crowd, the share of the detection that lies in it.

    Args:
        found: (N, 4) x1 y1 x2 y2.
        boxes: (M, 4).
        crowds: (M,) whether each stands for a crowd.

    Returns:
        (N, M).
    """
    low = np.maximum(found[:, None, :2], boxes[None, :, :2])
    high = np.minimum(found[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    own = (found[:, 2:] - found[:, :2]).clip(min=0).prod(axis=1)[:, None]
    other = (boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1)[None]
    union = own + other - shared
    if crowds is not None:
        union = np.where(crowds[None], own, union)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
