"""Which detection found which box, by COCO's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from glip.evaluation.truth import Truth

# From 0.5 to 0.95 by 0.05, as COCO averages over.
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)


class Matched(NamedTuple):
    """The detections of one picture, by class, the most certain of each first.

    Attributes:
        labels: (N,) ascending.
        scores: (N,).
        hits: (T, N) whether each is on a box of its own, by threshold.
        ignored: (T, N) whether it neither counts as hit nor as mistake.
        wanted: (M,) classes of the boxes to find.
    """

    labels: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    ignored: np.ndarray
    wanted: np.ndarray


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


def match_picture(
    entry: Mapping[str, Any],
    truth: Truth,
    *,
    thresholds: np.ndarray = IOU_THRESHOLDS,
    most: int = 100,
) -> Matched:
    """Match the detections of a picture with its boxes, class by class.

    As in pycocotools: the most certain detection takes the free box that it overlaps
    most; what lies on a crowd is ignored. As in the ``lvis`` tool: classes that
    nobody looked for in the picture are left out, and where not all of a class are
    annotated, detections without a box are ignored.

    Args:
        entry: ``bboxes``, ``scores`` and ``labels`` of the picture.
        truth: What is in it.
        thresholds: (T,) of IoU.
        most: Detections of a class that are looked at.
    """
    order = np.lexsort((-entry['scores'], entry['labels']))
    labels = entry['labels'][order]
    rank = np.arange(len(labels)) - np.searchsorted(labels, labels)
    kept = rank < most
    if truth.checked is not None:
        kept &= np.isin(labels, list(truth.checked))
    order, labels = order[kept], labels[kept]
    boxes = entry['bboxes'][order]
    shape = (len(thresholds), len(labels))
    hits, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for label in np.intersect1d(labels, truth.labels):
        mine = slice(*np.searchsorted(labels, (label, label + 1)))
        there = truth.labels == label
        crowds = truth.ignored[there]
        ious = overlaps(boxes[mine], truth.boxes[there], crowds)
        _match(ious, crowds, thresholds, hits[:, mine], ignored[:, mine])
    if truth.partial:
        ignored |= ~hits & np.isin(labels, list(truth.partial))
    wanted = truth.labels[~truth.ignored]
    return Matched(labels, entry['scores'][order], hits, ignored, wanted)


def _match(
    ious: np.ndarray,
    crowds: np.ndarray,
    thresholds: np.ndarray,
    hits: np.ndarray,
    ignored: np.ndarray,
) -> None:
    """Fill in hits and ignored detections, (T, N) each, of (N, M) overlaps."""
    needed = np.minimum(thresholds, 1 - 1e-10)[:, None]
    free = np.repeat(~crowds[None], len(thresholds), axis=0)
    for number in np.flatnonzero(ious.max(axis=1) >= needed.min()):
        row = ious[number][None]
        usable = free & (row >= needed)
        hit = usable.any(axis=1)
        # Of equally good boxes the last, as in pycocotools.
        best = np.where(usable, row, -1.0)[:, ::-1].argmax(axis=1)
        free[hit, row.shape[1] - 1 - best[hit]] = False
        hits[:, number] = hit
        ignored[:, number] = ~hit & (crowds & (row >= needed)).any(axis=1)
