"""A page of the pictures with most mistakes: what is annotated and what is detected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip.evaluation.truth import Truth
from glip.report.confusion import Verdicts
from glip.report.page import PageWriter
from glip.visualization.scene import Scene

_PER_PAGE = 10
_HINT = 'point at a box or at a word of the line below a picture; others fade'


class JudgedPicture(NamedTuple):
    """A picture, its detections, and which of them are right.

    Attributes:
        entry: ``img_id``, ``bboxes``, ``scores`` and ``labels`` of the detections.
        truth: Its annotations.
        verdicts: Pairs of detections and boxes.
    """

    entry: Mapping[str, Any]
    truth: Truth
    verdicts: Verdicts

    @property
    def num_boxes(self) -> int:
        """Boxes to find."""
        return int((~self.truth.ignored).sum())

    @property
    def num_right(self) -> int:
        """Boxes with a detection of their class."""
        labels = self.entry['labels'][self.verdicts.chosen]
        hit = self.verdicts.matched_box >= 0
        return int(
            (labels[hit] == self.truth.labels[self.verdicts.matched_box[hit]]).sum()
        )

    @property
    def quality(self) -> tuple[float, int]:
        """F1, and the number of mistakes with its sign changed, to sort by."""
        total = int((~self.verdicts.doubtful).sum()) + self.num_boxes
        f1 = 2 * self.num_right / total if total else 1.0
        return f1, 2 * self.num_right - total

    def note(self) -> str:
        """Counts in words."""
        verdicts, right = self.verdicts, self.num_right
        hit = verdicts.matched_box >= 0
        missed = int(((verdicts.finder < 0) & ~self.truth.ignored).sum())
        alarms = int((~hit & ~verdicts.doubtful).sum())
        doubtful = int(verdicts.doubtful.sum())
        counts = (
            f'{self.num_boxes} boxes: {right} found, '
            f'{int(hit.sum()) - right} taken for another class, {missed} missed; '
            f'{alarms} false alarms; F1 {self.quality[0]:.2f}'
        )
        return counts + (f'; {doubtful} on crowds or not judged' if doubtful else '')


def write_worst_pictures(
    pictures: Sequence[JudgedPicture],
    folder: Path,
    *,
    count: int,
    names: Sequence[str],
    score_thr: float,
    facts: Sequence[tuple[str, str]],
) -> Path:
    """Write a page of the pictures of the lowest F1.

    Args:
        pictures: All that were judged.
        folder: Where to write; created where it is missing, and emptied of older pages.
        count: Pictures on the page; of equal F1 those with most mistakes.
        names: The classes.
        score_thr: Score threshold of the verdicts, for the headings.
        facts: Name and value, shown on top.

    Returns:
        The first page.

    Raises:
        OSError: It cannot be written there.
    """
    page = PageWriter(folder, 'Worst pictures', _PER_PAGE)
    page.remove_older()
    heading = f'found with a score from {score_thr:g}'
    for picture in sorted(pictures, key=lambda one: one.quality)[:count]:

        def sides(
            image: np.ndarray, factor: float, picture: JudgedPicture = picture
        ) -> list[tuple[str, Scene]]:
            return [
                ('annotated', _annotated(image, factor, picture, names)),
                (heading, _detected(image, factor, picture, names)),
            ]

        truth = picture.truth
        page.add_file(truth.path, truth.img_id, sides, [picture.note()])
    return page.finish([*facts, ('to see more', _HINT)])


def _annotated(
    image: np.ndarray, factor: float, picture: JudgedPicture, names: Sequence[str]
) -> Scene:
    """The true boxes, and of each whether it is missed."""
    truth = picture.truth
    missed = (picture.verdicts.finder < 0) & ~truth.ignored
    tags = [
        names[label] + (': missed' if is_missed else '')
        for label, is_missed in zip(truth.labels, missed)
    ]
    return _scene(image, truth.boxes * factor, tags, ignored=truth.ignored)


def _detected(
    image: np.ndarray, factor: float, picture: JudgedPicture, names: Sequence[str]
) -> Scene:
    """The detections, and of each what is wrong."""
    entry, truth, verdicts = picture
    tags = []
    for number, matched_box, doubtful in zip(
        verdicts.chosen, verdicts.matched_box, verdicts.doubtful
    ):
        label = int(entry['labels'][number])
        tag = names[label]
        if matched_box >= 0 and truth.labels[matched_box] != label:
            tag += f': is {names[int(truth.labels[matched_box])]}'
        elif matched_box < 0 and not doubtful:
            tag += ': false alarm'
        tags.append(tag)
    boxes = entry['bboxes'][verdicts.chosen] * factor
    scores = entry['scores'][verdicts.chosen]
    return _scene(image, boxes, tags, ignored=verdicts.doubtful, scores=scores)


def _scene(
    image: np.ndarray,
    boxes: np.ndarray,
    tags: Sequence[str],
    *,
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
        boxes=np.asarray(boxes, dtype=np.float64).reshape(-1, 4),
        labels=np.array([names.index(tag) for tag in tags], dtype=np.int64),
        ignored=np.asarray(ignored, dtype=bool),
        scores=scores,
    )
