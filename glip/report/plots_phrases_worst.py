"""A page of the captions with most phrases missed: annotated and found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glip.datasets.sample import GroundingSample
from glip.evaluation.phrase_hits import PhraseHits
from glip.report.plots_page import SideBySidePage
from glip.visualization.scene import Scene


def quality(hits: Mapping[int, PhraseHits], iou_thr: float) -> tuple[float, int, float]:
    """How well a caption is understood, to sort by: share of right first boxes.

    Of equal ones that with most phrases missed comes first, then that with the
    lowest overlap. A caption without boxes has nothing to miss.
    """
    first = [
        float(one.separate[0]) if len(one.separate) else 0.0 for one in hits.values()
    ]
    missed = sum(iou < iou_thr for iou in first)
    if not first:
        return 1.0, 0, 1.0
    return 1 - missed / len(first), -missed, sum(first) / len(first)


class PhrasePage(SideBySidePage):
    """Captions with what is annotated and the best box of each phrase.

    Args:
        folder: Where to; made where it is missing, and emptied of older pages.
        iou_thr: Overlap from which on a box is on the thing.
    """

    def __init__(self, folder: Path, iou_thr: float) -> None:
        hint = 'point at a box or at a phrase of the caption; others fade'
        super().__init__(folder, 'Worst captions', hint)
        self.iou_thr = iou_thr

    def add(
        self,
        sample: GroundingSample,
        path: str,
        entry: Mapping[str, Any],
        hits: Mapping[int, PhraseHits],
    ) -> None:
        """Add a caption; a picture that cannot be read is said.

        Args:
            sample: The annotation.
            path: Where the picture is.
            entry: ``img_id``, ``bboxes``, ``scores`` and ``labels`` found.
            hits: Place of a phrase -> what was found for it.
        """

        def sides(image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
            return [
                ('annotated', self._annotated(image, factor, sample, hits)),
                (
                    'the best box of each phrase',
                    self._found(image, factor, sample, entry, hits),
                ),
            ]

        notes = self._notes(hits)
        self._add(path, entry['img_id'], sides, notes, unseen=[sample.caption])

    def _is_right(self, hits: PhraseHits) -> bool:
        return hits.rank(self.iou_thr) == 0

    def _annotated(
        self,
        image: np.ndarray,
        factor: float,
        sample: GroundingSample,
        hits: Mapping[int, PhraseHits],
    ) -> Scene:
        """The true boxes, and of each phrase whether its best box is on one."""
        names = [_words(sample, place) for place in range(len(sample.phrases))]
        for place, one in hits.items():
            if not self._is_right(one):
                names[place] += ': missed'
        boxes = [(i, box) for i, p in enumerate(sample.phrases) for box in p.boxes]
        return Scene(
            image=image,
            caption=sample.caption,
            phrases=tuple(phrase.spans for phrase in sample.phrases),
            names=tuple(names),
            boxes=factor * np.array([box for _, box in boxes]).reshape(-1, 4),
            labels=np.array([i for i, _ in boxes], dtype=np.int64),
            ignored=np.zeros(len(boxes), dtype=bool),
        )

    def _found(
        self,
        image: np.ndarray,
        factor: float,
        sample: GroundingSample,
        entry: Mapping[str, Any],
        hits: Mapping[int, PhraseHits],
    ) -> Scene:
        """The most certain box of each phrase, and whether it is right."""
        names = [_words(sample, place) for place in range(len(sample.phrases))]
        best = []
        for place in range(len(names)):
            mine = np.flatnonzero(entry['labels'] == place)
            if len(mine):
                best.append(mine[np.argmax(entry['scores'][mine])])
            if place not in hits:
                names[place] += ': not judged'
            elif not self._is_right(hits[place]):
                names[place] += ': wrong'
        chosen = np.array(best, dtype=np.int64)
        labels = entry['labels'][chosen]
        return Scene(
            image=image,
            caption=sample.caption,
            phrases=tuple(phrase.spans for phrase in sample.phrases),
            names=tuple(names),
            boxes=factor * entry['bboxes'][chosen],
            labels=labels,
            ignored=np.array([label not in hits for label in labels], dtype=bool),
            scores=entry['scores'][chosen],
        )

    def _notes(self, hits: Mapping[int, PhraseHits]) -> list[str]:
        """How many are right, and of the others how far off they are."""
        right = sum(self._is_right(one) for one in hits.values())
        notes = [f'{len(hits)} phrases with boxes: {right} right at the first box']
        for one in hits.values():
            if self._is_right(one):
                continue
            rank, count = one.rank(self.iou_thr), len(one.separate)
            if rank is not None:
                said = f'box {rank + 1} of {count} is the first right one'
            elif count:
                best = f'{np.floor(100 * one.separate.max()) / 100:.2f}'
                said = f'none of {count} boxes is right, the best IoU is {best}'
            else:
                said = 'nothing found'
            notes.append(f'"{one.words}": {said}')
        return notes


def _words(sample: GroundingSample, place: int) -> str:
    spans = sample.phrases[place].spans
    return ' / '.join(sample.caption[begin:end] for begin, end in spans)
