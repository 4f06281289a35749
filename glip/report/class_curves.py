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
    counts = np.zeros(num_classes, dtype=np.int64)
    labels, scores, hits, ignored = [], [], [], []
    for entry, truth in pairs:
        found = match_picture(entry, truth, most=most)
        counts += np.bincount(found.wanted, minlength=num_classes)
        labels.append(found.labels.astype(np.int32))
        scores.append(found.scores)
        hits.append(_packed(found.hits))  # a bit for each threshold
        ignored.append(_packed(found.ignored))
    joined = [np.concatenate(parts) for parts in (labels, scores, hits, ignored)]
    # Stable: equal scores stay in the order of the pictures, as in pycocotools.
    order = np.lexsort((-joined[1], joined[0]))
    by_class = [part[order] for part in joined]
    ap = np.full((num_classes, len(IOU_THRESHOLDS)), np.nan)
    precision = np.full((num_classes, len(RECALLS)), np.nan)
    best = np.full((num_classes, 3), np.nan)
    for label in np.flatnonzero(counts):
        mine = slice(*np.searchsorted(by_class[0], (label, label + 1)))
        own, hit, skip = (part[mine] for part in by_class[1:])
        for place in range(len(IOU_THRESHOLDS)):
            kept = (skip >> place) & 1 == 0
            right = ((hit >> place) & 1 == 1)[kept]
            curve = _interpolated(right, int(counts[label]))
            ap[label, place] = curve.mean()
            if place == 0:
                precision[label] = curve
                best[label] = _best(own[kept], right, int(counts[label]))
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
        threshold=_overall(*by_class[1:], total=int(counts.sum())),
    )


def picture_ap(entry: Mapping[str, Any], truth: Truth) -> float:
    """Mean AP of the classes annotated in one picture; nan where there are none."""
    found = match_picture(entry, truth)
    values = []
    for label, count in zip(*np.unique(found.wanted, return_counts=True)):
        mine = slice(*np.searchsorted(found.labels, (label, label + 1)))
        values += [
            _interpolated(hit[~skip], int(count)).mean()
            for hit, skip in zip(found.hits[:, mine], found.ignored[:, mine])
        ]
    return float(np.mean(values)) if values else float('nan')


def _overall(
    scores: np.ndarray, hits: np.ndarray, ignored: np.ndarray, *, total: int
) -> float:
    """The best threshold where all classes have the same."""
    kept = ignored & 1 == 0
    order = np.argsort(-scores[kept], kind='stable')
    right = (hits[kept] & 1 == 1)[order]
    return _best(scores[kept][order], right, total)[0]


def _packed(flags: np.ndarray) -> np.ndarray:
    """(T, N) flags as N whole numbers of T bits."""
    bits = np.uint16(1) << np.arange(len(flags), dtype=np.uint16)
    return (flags * bits[:, None]).sum(axis=0, dtype=np.uint16)


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
