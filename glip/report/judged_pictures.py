"""Pictures whose detections are judged by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.evaluation.truth import Truth
from glip.report.confusion import Verdicts
from glip.visualization.scene import Scene


@dataclass(frozen=True, eq=False)
class JudgedPicture:
    """A picture, its detections, and which of them are right.

    Attributes:
        entry: ``img_id``, ``bboxes``, ``scores`` and ``labels`` of the detections.
        truth: Its annotations.
        verdicts: Pairs of detections and boxes.
        names: The classes.
    """

    entry: Mapping[str, Any]
    truth: Truth
    verdicts: Verdicts
    names: Sequence[str]
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
    def quality(self) -> tuple[float, int]:
        """F1, and the number of mistakes with its sign changed."""
        right, confused, missed, alarms = self.verdicts.counts
        total = 2 * (right + confused) + missed + alarms
        return (2 * right / total if total else 1.0), 2 * right - total

    def notes(self) -> list[str]:
        """Counts in words."""
        right, confused, missed, alarms = self.verdicts.counts
        note = (
            f'{right + confused + missed} boxes: {right} found, '
            f'{confused} taken for another class, {missed} missed; '
            f'{alarms} false alarms; F1 {self.quality[0]:.2f}'
        )
        doubtful = int(self.verdicts.doubtful.sum())
        return [note + (f'; {doubtful} on crowds or not judged' if doubtful else '')]

    def sides(self, image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
        """The boxes with those missed, and the detections with what is wrong."""
        truth, verdicts = self.truth, self.verdicts
        there = [
            self.names[label] + (': missed' if is_missed else '')
            for label, is_missed in zip(truth.labels, verdicts.missed)
        ]
        entry = {key: self.entry[key][verdicts.chosen] for key in ('bboxes', 'scores')}
        heading = f'found with a score from {verdicts.score_thr:g}'
        return [
            ('annotated', _scene(image, truth.boxes * factor, there, truth.ignored)),
            (
                heading,
                _scene(
                    image,
                    entry['bboxes'] * factor,
                    self._tags(),
                    verdicts.doubtful,
                    entry['scores'],
                ),
            ),
        ]

    def _tags(self) -> list[str]:
        """Of each detection its class, and what is wrong."""
        tags = []
        for label, true, doubtful in zip(
            self.verdicts.labels, self.verdicts.true_labels, self.verdicts.doubtful
        ):
            tag = self.names[label]
            if true < 0 and not doubtful:
                tag += ': false alarm'
            elif true not in (-1, label):
                tag += f': is {self.names[true]}'
            tags.append(tag)
        return tags


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
