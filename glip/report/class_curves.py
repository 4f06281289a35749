"""Precision over recall, AP and the best threshold of each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile
from glip.evaluation.box_ap import AREAS, DetectionRows, box_ap, box_hits

RECALLS = np.linspace(0, 1, 101)
_LVIS_LIMIT = 300  # detections of a class in a picture that count


@dataclass(frozen=True, eq=False)
class ClassCurves:
    """How well each class is found; nan of classes without a box to find.

    Attributes:
        counts: (K,) boxes to find.
        ap: (K,) COCO's AP, the mean over IoU from 0.5 to 0.95.
        ap50: (K,) AP at IoU 0.5.
        ap75: (K,) AP at IoU 0.75.
        precision: (K, 101) at IoU 0.5, over ``RECALLS``, interpolated as by COCO.
        best_score: (K,) the score threshold with the best F1 at IoU 0.5.
        best_precision: (K,) precision there.
        best_recall: (K,) recall there.
        threshold: The score threshold with the best F1 over all classes together;
            nan where nothing is found.
    """

    counts: np.ndarray
    ap: np.ndarray
    ap50: np.ndarray
    ap75: np.ndarray
    precision: np.ndarray
    best_score: np.ndarray
    best_precision: np.ndarray
    best_recall: np.ndarray
    threshold: float


def class_curves(
    coco: CocoFile, entries: Sequence[Mapping[str, Any]], *, federated: bool = False
) -> ClassCurves:
    """Read precision and the best thresholds of each class off the evaluator.

    Args:
        coco: Annotations of the pictures.
        entries: Detections of each picture: ``img_id``, ``bboxes`` (n, 4) x1 y1 x2 y2,
            ``scores`` and ``labels``.
        federated: LVIS's rule, see :func:`glip.evaluation.box_ap.box_ap`; 300
            detections of a class in a picture count instead of 100.
    """
    limit = _LVIS_LIMIT if federated else 100
    detections = DetectionRows.of(entries)
    evaluation = box_ap(coco, detections, limits=(limit,), federated=federated)
    hits, counted = box_hits(coco, detections, limit=limit, federated=federated)
    order = np.argsort(-detections.scores, kind='stable')
    order = order[counted[order]]
    labels, scores, hits = (
        v[order] for v in (detections.labels, detections.scores, hits)
    )
    counts = _box_counts(coco, detections.ids)
    best = np.full((len(counts), 3), np.nan)
    for label in np.flatnonzero(counts):
        of_class = labels == label
        best[label] = _best(scores[of_class], hits[of_class], int(counts[label]))
    precision = evaluation.precision[0, :, :, AREAS.index('all'), -1].T
    precision = evaluation.of_all_classes(precision)
    precision[counts == 0] = np.nan
    return ClassCurves(
        counts=counts,
        ap=evaluation.by_class(),
        ap50=evaluation.by_class(iou=0.5),
        ap75=evaluation.by_class(iou=0.75),
        precision=precision,
        best_score=best[:, 0],
        best_precision=best[:, 1],
        best_recall=best[:, 2],
        threshold=_best(scores, hits, int(counts.sum()))[0],
    )


def _box_counts(coco: CocoFile, image_ids: Sequence[Any]) -> np.ndarray:
    """(K,) boxes of each class, crowds left out."""
    labels = [
        coco.labels[box['category_id']]
        for image_id in image_ids
        for box in coco.boxes[image_id]
        if not box['iscrowd']
    ]
    return np.bincount(np.array(labels, dtype=np.int64), minlength=len(coco.names))


def _best(scores: np.ndarray, hits: np.ndarray, count: int) -> tuple[float, ...]:
    """Threshold, precision and recall where F1 is highest."""
    right = np.cumsum(hits)
    if not len(right) or not right[-1]:
        return (float('nan'),) * 3
    # Only where the score changes can a threshold lie.
    last = np.append(scores[1:] != scores[:-1], True)
    total = np.arange(1, len(hits) + 1)
    f1 = np.where(last, 2 * right / (total + count), -1.0)
    best = int(f1.argmax())
    return (
        float(scores[best]),
        float(right[best] / total[best]),
        float(right[best] / count),
    )
