"""A page of the captions with most phrases missed: annotated and detected boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glip.datasets.sample import GroundingSample
from glip.evaluation.phrase_hits import PhraseHits
from glip.report.page import PageWriter
from glip.visualization.scene import Scene

_PER_PAGE = 10
_HINT = 'point at a box or at a phrase of the caption; others fade'


@dataclass(frozen=True, eq=False)
class JudgedCaption:
    """A caption, its annotated boxes, and the detections of its phrases.

    Attributes:
        sample: The annotation.
        path: The picture file.
        entry: ``img_id``, ``bboxes``, ``scores`` and ``labels`` of the detections.
        hits: Index of a phrase with boxes -> its detections, judged.
    """

    sample: GroundingSample
    path: str
    entry: Mapping[str, Any]
    hits: Mapping[int, PhraseHits]

    def quality(self, iou_thr: float) -> tuple[float, int, float]:
        """Share of phrases whose first box is right, to sort by.

        Of equal ones that with most phrases missed comes first, then that with the
        lowest overlap. A caption without boxes has nothing to miss.
        """
        first = [
            float(hits.separate[0]) if len(hits.separate) else 0.0
            for hits in self.hits.values()
        ]
        if not first:
            return 1.0, 0, 1.0
        missed = sum(iou < iou_thr for iou in first)
        return 1 - missed / len(first), -missed, sum(first) / len(first)

    def notes(self, iou_thr: float) -> list[str]:
        """How many phrases are right, and of the others how far off they are."""
        ranks = [(hits, hits.rank(iou_thr)) for hits in self.hits.values()]
        right = sum(rank == 0 for _, rank in ranks)
        notes = [f'{len(ranks)} phrases with boxes: {right} right at the first box']
        for hits, rank in ranks:
            count = len(hits.separate)
            if rank == 0:
                continue
            if rank is not None:
                reason = f'box {rank + 1} of {count} is the first right one'
            elif count:
                best = f'{np.floor(100 * hits.separate.max()) / 100:.2f}'
                reason = f'none of {count} boxes is right, the best IoU is {best}'
            else:
                reason = 'nothing found'
            notes.append(f'"{hits.words}": {reason}')
        return notes

    def names(self) -> list[str]:
        """Words of each phrase."""
        caption = self.sample.caption
        return [
            ' / '.join(caption[begin:end] for begin, end in phrase.spans)
            for phrase in self.sample.phrases
        ]


def write_worst_captions(
    captions: Sequence[JudgedCaption],
    folder: Path,
    *,
    count: int,
    iou_thr: float,
    facts: Sequence[tuple[str, str]],
) -> Path:
    """Write a page of captions with what is annotated and the best box of each phrase.

    Args:
        captions: All that were judged.
        folder: Where to write; created where it is missing, and emptied of older pages.
        count: Captions on the page, the worst first.
        iou_thr: Overlap from which on a box is right.
        facts: Name and value, shown on top.

    Returns:
        The first page.

    Raises:
        OSError: It cannot be written there.
    """
    page = PageWriter(folder, 'Worst captions', _PER_PAGE)
    page.remove_older()
    for caption in sorted(captions, key=lambda one: one.quality(iou_thr))[:count]:

        def sides(
            image: np.ndarray, factor: float, caption: JudgedCaption = caption
        ) -> list[tuple[str, Scene]]:
            best = _best_boxes(image, factor, caption, iou_thr)
            return [
                ('annotated', _annotated(image, factor, caption, iou_thr)),
                ('the best box of each phrase', best),
            ]

        page.add_file(
            caption.path,
            caption.entry['img_id'],
            sides,
            caption.notes(iou_thr),
            unseen=[caption.sample.caption],
        )
    return page.finish([*facts, ('to see more', _HINT)])


def _annotated(
    image: np.ndarray, factor: float, caption: JudgedCaption, iou_thr: float
) -> Scene:
    """The true boxes, and of each phrase whether its best box is on one."""
    names = caption.names()
    for number, hits in caption.hits.items():
        if hits.rank(iou_thr) != 0:
            names[number] += ': missed'
    phrases = caption.sample.phrases
    boxes = [box for phrase in phrases for box in phrase.boxes]
    labels = [i for i, phrase in enumerate(phrases) for _ in phrase.boxes]
    ignored = np.zeros(len(boxes), dtype=bool)
    return _scene(image, caption, names, factor * np.array(boxes), labels, ignored)


def _best_boxes(
    image: np.ndarray, factor: float, caption: JudgedCaption, iou_thr: float
) -> Scene:
    """The most certain box of each phrase, and whether it is right."""
    names, entry = caption.names(), caption.entry
    chosen = []
    for number in range(len(names)):
        rows = np.flatnonzero(entry['labels'] == number)
        if len(rows):
            chosen.append(rows[np.argmax(entry['scores'][rows])])
        if number not in caption.hits:
            names[number] += ': not judged'
        elif caption.hits[number].rank(iou_thr) != 0:
            names[number] += ': wrong'
    rows = np.array(chosen, dtype=np.int64)
    labels = entry['labels'][rows]
    return _scene(
        image,
        caption,
        names,
        factor * entry['bboxes'][rows],
        labels,
        np.array([label not in caption.hits for label in labels], dtype=bool),
        scores=entry['scores'][rows],
    )


def _scene(
    image: np.ndarray,
    caption: JudgedCaption,
    names: Sequence[str],
    boxes: np.ndarray,
    labels: Sequence[int],
    ignored: np.ndarray,
    scores: np.ndarray | None = None,
) -> Scene:
    return Scene(
        image=image,
        caption=caption.sample.caption,
        phrases=tuple(phrase.spans for phrase in caption.sample.phrases),
        names=tuple(names),
        boxes=boxes.reshape(-1, 4),
        labels=np.asarray(labels, dtype=np.int64),
        ignored=ignored,
        scores=scores,
    )
