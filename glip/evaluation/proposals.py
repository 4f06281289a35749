"""Recall of boxes whatever their class: how good proposals are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile
from glip.evaluation.box_ap import BoxAP, box_ap
from glip.evaluation.detection_rows import DetectionRows
from glip.evaluation.overlaps import overlaps


def class_agnostic_ap(
    coco: CocoFile,
    detections: DetectionRows,
    *,
    limits: Sequence[int],
    thresholds: np.ndarray,
) -> BoxAP:
    """Evaluate as if all boxes were of one class (COCO's ``useCats=0``).

    The arguments are those of :func:`glip.evaluation.box_ap.box_ap`.
    """
    one_class = replace(
        coco,
        names=('any',),
        category_ids=coco.category_ids[:1],
        labels=dict.fromkeys(coco.labels, 0),
    )
    return box_ap(
        one_class,
        replace(detections, labels=np.zeros_like(detections.labels)),
        limits=limits,
        thresholds=thresholds,
    )


def fast_recall(
    coco: CocoFile,
    results: Sequence[Mapping[str, Any]],
    *,
    limits: Sequence[int],
    thresholds: np.ndarray,
) -> list[float]:
    """Recall as ``proposal_fast`` of mmdet: the closest pairs are matched first.

    Crowds count as nothing.

    Args:
        coco: Annotations.
        results: Of the pictures evaluated, ``img_id``, ``bboxes`` (N, 4) and
            ``scores``.
        limits: Of detections per picture.
        thresholds: Of IoU, over which recall is averaged.

    Returns:
        For each limit 0 to 1, or -1 where there is no box to find.
    """
    matched: list[list[np.ndarray]] = [[] for _ in limits]
    for result in results:
        boxes = [box for box in coco.boxes[result['img_id']] if not box['iscrowd']]
        corners = np.array([box['bbox'] for box in boxes], np.float64).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        order = np.argsort(-result['scores'], kind='stable')
        ious = overlaps(result['bboxes'][order], corners)
        for number, limit in enumerate(limits):
            matched[number].append(_greedy(ious[:limit]))
    recalls = []
    for of_limit in matched:
        best = np.concatenate([np.zeros(0), *of_limit])
        hits = best[:, None] >= thresholds[None]
        recalls.append(float(hits.mean()) if len(best) else -1.0)
    return recalls


def _greedy(ious: np.ndarray) -> np.ndarray:
    """IoU of each box (a column) with its own detection (a row); 0 for none."""
    left, best = ious.copy(), np.zeros(ious.shape[1])
    for _ in range(min(left.shape)):
        detection, box = np.unravel_index(left.argmax(), left.shape)
        best[box] = left[detection, box]
        left[detection], left[:, box] = -1, -1
    return best
