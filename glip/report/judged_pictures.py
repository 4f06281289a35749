"""Pictures whose detections are judged: right, taken for another class, missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from glip.evaluation.overlaps import overlaps
from glip.evaluation.truth import Truth
from glip.visualization.scene import Scene


@dataclass(frozen=True, eq=False)
class JudgedPicture:
    """Each detection and each box of one picture, judged.

    Attributes:
        truth: Its annotations.
        names: The classes.
        score_thr: Score from which on detections count.
        entry: ``bboxes``, ``scores`` and ``labels`` of those, best first.
        matched_box: (N,) the box that each is on, or -1.
        doubtful: (N,) whether nobody can say: on a crowd, or of a class that is not
            annotated throughout the picture.
        missed: (M,) whether a box, no crowd, has no detection on it.
    """

    truth: Truth
    names: Sequence[str]
    score_thr: float
    entry: Mapping[str, np.ndarray]
    matched_box: np.ndarray
    doubtful: np.ndarray
    missed: np.ndarray
    caption = ''

    @property
    def img_id(self) -> Any:
        """Id of the picture in the annotations."""
        return self.truth.img_id

    @property
    def path(self) -> str:
        """The picture file."""
        return self.truth.path

    @property
    def true_labels(self) -> np.ndarray:
        """(N,) the class of the box that each detection is on, or -1."""
        return np.append(self.truth.labels, -1)[self.matched_box]

    @cached_property
    def pairs(self) -> np.ndarray:
        """(P, 2) true and detected class of all that counts; -1 is background."""
        detected = np.stack([self.true_labels, self.entry['labels']], axis=1)
        missed = self.truth.labels[self.missed]
        missed = np.stack([missed, np.full_like(missed, -1)], axis=1)
        return np.concatenate([detected[~self.doubtful], missed])

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Boxes found, taken for another class, and missed; and false alarms."""
        true, detected = self.pairs.T
        right, alarms, missed = true == detected, true < 0, detected < 0
        confused = ~(right | alarms | missed)
        return tuple(int(part.sum()) for part in (right, confused, missed, alarms))

    @property
    def quality(self) -> tuple[float, int]:
        """F1, and the number of mistakes with its sign changed."""
        right, confused, missed, alarms = self.counts
        total = 2 * (right + confused) + missed + alarms
        return (2 * right / total if total else 1.0), 2 * right - total

    def notes(self) -> list[str]:
        """Counts in words."""
        right, confused, missed, alarms = self.counts
        note = (
            f'{right + confused + missed} boxes: {right} found, '
            f'{confused} taken for another class, {missed} missed; '
            f'{alarms} false alarms; F1 {self.quality[0]:.2f}'
        )
        doubtful = int(self.doubtful.sum())
        return [note + (f'; {doubtful} on crowds or not judged' if doubtful else '')]

    def sides(self, image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
        """Scenes of the boxes with those missed, and of what is wrong.

        Args:
            image: (H, W, 3) RGB.
            factor: Length of a side over that of the file, for the boxes.
        """
        truth, entry = self.truth, self.entry
        annotated = [
            self.names[label] + (': missed' if is_missed else '')
            for label, is_missed in zip(truth.labels, self.missed)
        ]
        detected = []
        for label, true, doubtful in zip(
            entry['labels'], self.true_labels, self.doubtful
        ):
            tag = self.names[label]
            if true < 0 and not doubtful:
                tag += ': false alarm'
            elif true not in (-1, label):
                tag += f': is {self.names[true]}'
            detected.append(tag)
        boxes = entry['bboxes'] * factor
        return [
            (
                'annotated',
                _scene(image, truth.boxes * factor, annotated, truth.ignored),
            ),
            (
                f'found with a score from {self.score_thr:g}',
                _scene(image, boxes, detected, self.doubtful, entry['scores']),
            ),
        ]


def judge(
    entry: Mapping[str, Any],
    truth: Truth,
    names: Sequence[str] = (),
    *,
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
) -> JudgedPicture:
    """Pair detections and boxes one to one, first of the same class, then of others.

    A right detection thus never loses its box to a wrong one.

    Args:
        entry: ``bboxes``, ``scores`` and ``labels`` of the picture.
        truth: What is in it.
        names: The classes.
        score_thr: Detections below are left out.
        iou_thr: Overlap from which on a detection is on a box.
    """
    chosen = np.flatnonzero(entry['scores'] >= score_thr)
    chosen = chosen[np.argsort(-entry['scores'][chosen], kind='stable')]
    entry = {key: entry[key][chosen] for key in ('bboxes', 'scores', 'labels')}
    labels = entry['labels']
    ious = overlaps(entry['bboxes'], truth.boxes, truth.ignored)
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
    unsure = ((ious >= iou_thr) & truth.ignored[None]).any(axis=1)  # on a crowd
    unsure |= np.isin(labels, list(truth.partial))
    if truth.checked is not None:
        unsure |= ~np.isin(labels, list(truth.checked))
    doubtful = (matched_box < 0) & unsure
    return JudgedPicture(truth, names, score_thr, entry, matched_box, doubtful, free)


def confusion_matrix(judged: Sequence[JudgedPicture], num_classes: int) -> np.ndarray:
    """Counts (K + 1, K + 1) of true class by detected class.

    The last column is what was missed, the last row what was found where nothing is.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), dtype=np.int64)
    for one in judged:
        np.add.at(counts, tuple(one.pairs.T), 1)
    return counts


def _scene(
    image: np.ndarray,
    boxes: np.ndarray,
    tags: Sequence[str],
    ignored: np.ndarray,
    scores: np.ndarray | None = None,
) -> Scene:
    """A scene whose caption says what its colours mean."""
    counts = Counter(tags)
    names = tuple(sorted(counts))
    caption, phrases = '', []
    for name in names:
        words = f'{name} ({counts[name]})' if counts[name] > 1 else name
        caption += ',  ' if caption else ''
        phrases.append(((len(caption), len(caption) + len(words)),))
        caption += words
    return Scene(
        image=image,
        caption=caption,
        phrases=tuple(phrases),
        names=names,
        boxes=boxes.reshape(-1, 4),
        labels=np.array([names.index(tag) for tag in tags], dtype=np.int64),
        ignored=np.asarray(ignored, dtype=bool),
        scores=scores,
    )
