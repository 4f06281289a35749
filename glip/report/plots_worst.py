"""A page of the pictures with most mistakes: what is annotated and what is found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.evaluation.truth import Truth
from glip.report.confusion import Verdicts
from glip.report.plots_page import SideBySidePage
from glip.visualization.scene import Scene


def quality(
    entry: Mapping[str, Any], truth: Truth, verdicts: Verdicts
) -> tuple[float, int]:
    """How good a picture is, to sort by: F1, and of equal ones the most mistakes."""
    labels = entry['labels'][verdicts.found]
    hit = verdicts.taken >= 0
    right = int((labels[hit] == truth.labels[verdicts.taken[hit]]).sum())
    judged = int((~verdicts.doubtful).sum())
    boxes = int((~truth.ignored).sum())
    mistakes = judged + boxes - 2 * right
    f1 = 2 * right / (judged + boxes) if judged + boxes else 1.0
    return f1, -mistakes


class Page(SideBySidePage):
    """Pictures with what is annotated and what is found.

    Args:
        folder: Where to; made where it is missing, and emptied of older pages.
        names: The classes.
        score_thr: Said in the headings.
    """

    def __init__(self, folder: Path, names: Sequence[str], score_thr: float) -> None:
        hint = 'point at a box or at a word of the line below a picture; others fade'
        super().__init__(folder, 'Worst pictures', hint)
        self.names = names
        self.score_thr = score_thr

    def add(self, entry: Mapping[str, Any], truth: Truth, verdicts: Verdicts) -> None:
        """Add a picture; one that cannot be read is said."""

        def sides(image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
            return [
                ('annotated', self._annotated(image, factor, truth, verdicts)),
                (
                    f'found with a score from {self.score_thr:g}',
                    self._found(image, factor, entry, truth, verdicts),
                ),
            ]

        f1, _ = quality(entry, truth, verdicts)
        note = self._note(entry, truth, verdicts, f1)
        self._add(truth.path, truth.img_id, sides, [note])

    def _annotated(
        self, image: np.ndarray, factor: float, truth: Truth, verdicts: Verdicts
    ) -> Scene:
        """The true boxes, and of each whether it is found."""
        tags = []
        for label, finder, ignored in zip(truth.labels, verdicts.finder, truth.ignored):
            missed = finder < 0 and not ignored
            tags.append(f'{self.names[label]}: missed' if missed else self.names[label])
        return _scene(image, truth.boxes * factor, tags, ignored=truth.ignored)

    def _found(
        self,
        image: np.ndarray,
        factor: float,
        entry: Mapping[str, Any],
        truth: Truth,
        verdicts: Verdicts,
    ) -> Scene:
        """The detections, and of each what is wrong."""
        tags = []
        for number, taken, doubtful in zip(
            verdicts.found, verdicts.taken, verdicts.doubtful
        ):
            label = int(entry['labels'][number])
            name = self.names[label]
            if taken >= 0 and truth.labels[taken] != label:
                name += f': is {self.names[int(truth.labels[taken])]}'
            elif taken < 0 and not doubtful:
                name += ': false alarm'
            tags.append(name)
        boxes = entry['bboxes'][verdicts.found] * factor
        scores = entry['scores'][verdicts.found]
        return _scene(image, boxes, tags, ignored=verdicts.doubtful, scores=scores)

    def _note(
        self, entry: Mapping[str, Any], truth: Truth, verdicts: Verdicts, f1: float
    ) -> str:
        """Counts of one picture in words."""
        labels = entry['labels'][verdicts.found]
        hit = verdicts.taken >= 0
        right = int((labels[hit] == truth.labels[verdicts.taken[hit]]).sum())
        missed = int(((verdicts.finder < 0) & ~truth.ignored).sum())
        alarms = int((~hit & ~verdicts.doubtful).sum())
        said = (
            f'{int((~truth.ignored).sum())} boxes: {right} found, '
            f'{int(hit.sum()) - right} taken for another class, {missed} missed; '
            f'{alarms} false alarms; F1 {f1:.2f}'
        )
        doubtful = int(verdicts.doubtful.sum())
        return said + (f'; {doubtful} on crowds or not judged' if doubtful else '')


def _scene(
    image: np.ndarray,
    boxes: np.ndarray,
    tags: Sequence[str],
    *,
    ignored: np.ndarray,
    scores: np.ndarray | None = None,
) -> Scene:
    """A scene whose caption says what its colours mean."""
    counts: dict[str, int] = {}
    for tag in tags:
        counts[tag] = counts.get(tag, 0) + 1
    names = tuple(sorted(counts))
    caption, phrases = '', []
    for name in names:
        words = f'{name} ({counts[name]})' if counts[name] > 1 else name
        caption += ',  ' if caption else ''
        phrases.append(((len(caption), len(caption) + len(words)),))
        caption += words
    place = {name: number for number, name in enumerate(names)}
    return Scene(
        image=image,
        caption=caption,
        phrases=tuple(phrases),
        names=names,
        boxes=np.asarray(boxes, dtype=np.float64).reshape(-1, 4),
        labels=np.array([place[tag] for tag in tags], dtype=np.int64),
        ignored=np.asarray(ignored, dtype=bool),
        scores=scores,
    )
