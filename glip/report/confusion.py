"""What is taken for what, and what is missed or seen where nothing is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from glip.evaluation.overlaps import overlaps
from glip.evaluation.truth import Truth


class Verdicts(NamedTuple):
    """Each detection and each box of one picture, judged.

    Attributes:
        chosen: (N,) indices of the detections above the threshold, best first.
        matched_box: (N,) the box each is on, or -1 where nothing is.
        doubtful: (N,) whether nobody can say: on a crowd, or of a class that is not
            annotated throughout the picture.
        finder: (M,) the detection on each box, as index into ``chosen``, or -1.
    """

    chosen: np.ndarray
    matched_box: np.ndarray
    doubtful: np.ndarray
    finder: np.ndarray


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
    finder = np.full(len(truth.labels), -1)
    same = labels[:, None] == truth.labels[None]
    usable = (ious >= iou_thr) & ~truth.ignored[None]
    for number in np.flatnonzero((usable & same).any(axis=1)):
        row = np.where(usable[number] & same[number] & (finder < 0), ious[number], -1)
        if row.max(initial=-1) >= 0:
            matched_box[number], finder[row.argmax()] = row.argmax(), number
    left = usable & (matched_box < 0)[:, None] & (finder < 0)[None]
    while left.any():  # the closest pair of different classes first
        number, box = np.unravel_index(np.where(left, ious, -1).argmax(), ious.shape)
        matched_box[number], finder[box] = box, number
        left[number], left[:, box] = False, False
    on_crowd = ((ious >= iou_thr) & truth.ignored[None]).any(axis=1)
    unsure = np.isin(labels, list(truth.partial))
    if truth.checked is not None:
        unsure |= ~np.isin(labels, list(truth.checked))
    doubtful = (matched_box < 0) & (on_crowd | unsure)
    return Verdicts(chosen, matched_box, doubtful, finder)


class ConfusionMatrix:
    """Counts of true and found classes; the last row and column are background.

    Args:
        num_classes: Without background.

    Attributes:
        counts: (K + 1, K + 1), true class by found class. The last column is what was
            missed, the last row what was found where nothing is.
    """

    def __init__(self, num_classes: int) -> None:
        self.counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)

    def add(self, entry: Mapping[str, Any], truth: Truth, verdicts: Verdicts) -> None:
        """Count one picture."""
        labels = entry['labels'][verdicts.chosen]
        hit = verdicts.matched_box >= 0
        true = truth.labels[verdicts.matched_box[hit]]
        np.add.at(self.counts, (true, labels[hit]), 1)
        alarms = labels[~hit & ~verdicts.doubtful]
        np.add.at(self.counts, (-1, alarms), 1)
        missed = truth.labels[(verdicts.finder < 0) & ~truth.ignored]
        np.add.at(self.counts, (missed, -1), 1)

    @property
    def right(self) -> int:
        """Boxes found as what they are."""
        return int(np.trace(self.counts))

    @property
    def confused(self) -> int:
        """Boxes found as another class."""
        return int(self.counts[:-1, :-1].sum()) - self.right

    @property
    def missed(self) -> int:
        """Boxes that nothing is found on."""
        return int(self.counts[:-1, -1].sum())

    @property
    def false_alarms(self) -> int:
        """Detections on nothing."""
        return int(self.counts[-1].sum())
