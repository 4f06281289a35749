"""Precision over recall and AP of each class, summed up picture by picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.evaluation.matching import IOU_THRESHOLDS, match_picture
from glip.evaluation.truth import Truth

RECALLS = np.linspace(0, 1, 101)


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
    """

    counts: np.ndarray
    ap: np.ndarray
    ap50: np.ndarray
    ap75: np.ndarray
    precision: np.ndarray
    best_score: np.ndarray
    best_precision: np.ndarray
    best_recall: np.ndarray


def class_curves(
    pairs: Iterable[tuple[Mapping[str, Any], Truth]],
    num_classes: int,
    *,
    most: int = 100,
) -> ClassCurves:
    """Evaluate detections class by class; equal to pycocotools' numbers.

    Args:
        pairs: Detections and truth of each picture.
        num_classes: How many classes there are.
        most: Detections of a class in a picture that count (LVIS: 300).
    """
    scores: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
    hits: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
    ignored: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
    counts = np.zeros(num_classes, dtype=np.int64)
    for entry, truth in pairs:
        for found in match_picture(entry, truth, most=most):
            counts[found.label] += found.count
            if found.scores.size:
                scores[found.label].append(found.scores)
                hits[found.label].append(found.hits)
                ignored[found.label].append(found.ignored)
    ap = np.full((num_classes, len(IOU_THRESHOLDS)), np.nan)
    precision = np.full((num_classes, len(RECALLS)), np.nan)
    best = np.full((num_classes, 3), np.nan)
    for label in np.flatnonzero(counts):
        if not scores[label]:
            ap[label], precision[label] = 0, 0
            continue
        # Stable, as equal scores shall stay in the order of the pictures.
        order = np.argsort(-np.concatenate(scores[label]), kind='stable')
        own = np.concatenate(scores[label])[order]
        hit = np.concatenate(hits[label], axis=1)[:, order]
        skip = np.concatenate(ignored[label], axis=1)[:, order]
        for place in range(len(IOU_THRESHOLDS)):
            kept = ~skip[place]
            curve = _interpolated(hit[place][kept], int(counts[label]))
            ap[label, place] = curve.mean()
            if place == 0:
                precision[label] = curve
                best[label] = _best(own[kept], hit[place][kept], int(counts[label]))
    at = {round(float(t), 2): place for place, t in enumerate(IOU_THRESHOLDS)}
    return ClassCurves(
        counts=counts,
        ap=ap.mean(axis=1),
        ap50=ap[:, at[0.5]],
        ap75=ap[:, at[0.75]],
        precision=precision,
        best_score=best[:, 0],
        best_precision=best[:, 1],
        best_recall=best[:, 2],
    )


def picture_ap(entry: Mapping[str, Any], truth: Truth) -> float:
    """Mean AP of the classes annotated in one picture; nan where there are none."""
    values = []
    for found in match_picture(entry, truth):
        if found.count:
            values += [
                _interpolated(hit[~skip], found.count).mean()
                for hit, skip in zip(found.hits, found.ignored)
            ]
    return float(np.mean(values)) if values else float('nan')


def _interpolated(hits: np.ndarray, count: int) -> np.ndarray:
    """Precision at ``RECALLS``: the best that this or any larger recall has."""
    right = np.cumsum(hits)
    recall = right / count
    precision = right / np.arange(1, len(hits) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(recall, RECALLS, side='left')
    reached = np.append(precision, 0.0)
    return reached[place]


def _best(scores: np.ndarray, hits: np.ndarray, count: int) -> tuple[float, ...]:
    """Threshold, precision and recall where F1 is highest."""
    right = np.cumsum(hits)
    if not len(right) or not right[-1]:
        return (float('nan'),) * 3
    # Only where the score changes can a threshold lie.
    last = np.append(scores[1:] != scores[:-1], True)
    total = np.arange(1, len(hits) + 1)
    f1 = np.where(last, 2 * right / (total + count), -1.0)
    place = int(f1.argmax())
    return (
        float(scores[place]),
        float(right[place] / total[place]),
        float(right[place] / count),
    )
