"""What is taken for what, and what is missed or seen where nothing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glip.evaluation.overlaps import overlaps
from glip.evaluation.truth import Truth


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Each detection and each box of one picture, judged.

    Attributes:
        score_thr: Score from which on detections count.
        chosen: (N,) indices of those detections, best first.
        labels: (N,) their classes.
        true_labels: (N,) the class of the box each is on, or -1 where nothing is.
        doubtful: (N,) whether nobody can say: on a crowd, or of a class that is not
            annotated throughout the picture.
        matched_box: (N,) the box each is on, or -1.
        missed: (M,) whether a box, no crowd, has no detection on it.
        missed_labels: Classes of the boxes missed.
    """

    score_thr: float
    chosen: np.ndarray
    labels: np.ndarray
    true_labels: np.ndarray
    doubtful: np.ndarray
    matched_box: np.ndarray
    missed: np.ndarray
    missed_labels: np.ndarray

    @cached_property
    def pairs(self) -> np.ndarray:
        """(P, 2) true and detected class of all that counts; -1 is background."""
        detected = np.stack([self.true_labels, self.labels], axis=1)
        missed = np.stack([self.missed_labels, np.full_like(self.missed_labels, -1)], 1)
        return np.concatenate([detected[~self.doubtful], missed])

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Boxes found, taken for another class, and missed; and false alarms."""
        true, detected = self.pairs.T
        right, alarms, missed = true == detected, true < 0, detected < 0
        confused = ~(right | alarms | missed)
        return tuple(int(part.sum()) for part in (right, confused, missed, alarms))


def judge(
    entry: Mapping[str, Any],
    truth: Truth,
    *,
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
) -> Verdicts:
    """Pair detections and boxes one to one, first of the same class, then of others.

    A right detection thus never loses its box to a wrong one.

    Args:
        entry: ``bboxes``, ``scores`` and ``labels`` of the picture.
        truth: What is in it.
        score_thr: Detections below are left out.
        iou_thr: Overlap from which on a detection is on a box.
    """
    chosen = np.flatnonzero(entry['scores'] >= score_thr)
    chosen = chosen[np.argsort(-entry['scores'][chosen], kind='stable')]
    labels = entry['labels'][chosen]
    ious = overlaps(entry['bboxes'][chosen], truth.boxes, truth.ignored)
    matched_box = np.full(len(chosen), -1)
    free = ~truth.ignored
    same = labels[:, None] == truth.labels[None]
    usable = (ious >= iou_thr) & free
    for number in np.flatnonzero((usable & same).any(axis=1)):
        row = np.where(usable[number] & same[number] & free, ious[number], -1)
        if row.max(initial=-1) >= 0:
            matched_box[number] = row.argmax()
            free[row.argmax()] = False
    left = usable & (matched_box < 0)[:, None] & free
    while left.any():  # the closest pair of different classes first
        number, box = np.unravel_index(np.where(left, ious, -1).argmax(), ious.shape)
        matched_box[number], free[box] = box, False
        left[number], left[:, box] = False, False
    on_crowd = ((ious >= iou_thr) & truth.ignored[None]).any(axis=1)
    unsure = np.isin(labels, list(truth.partial))
    if truth.checked is not None:
        unsure |= ~np.isin(labels, list(truth.checked))
    return Verdicts(
        score_thr=score_thr,
        chosen=chosen,
        labels=labels,
        true_labels=np.append(truth.labels, -1)[matched_box],
        doubtful=(matched_box < 0) & (on_crowd | unsure),
        matched_box=matched_box,
        missed=free,
        missed_labels=truth.labels[free],
    )


def confusion_matrix(verdicts: Sequence[Verdicts], num_classes: int) -> np.ndarray:
    """Counts (K + 1, K + 1) of true class by detected class.

    The last column is what was missed, the last row what was found where nothing is.

    Args:
        verdicts: Of each picture.
        num_classes: Without background.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for one in verdicts:
        np.add.at(counts, tuple(one.pairs.T), 1)
    return counts
