"""Captions whose detections are judged by phrase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.datasets.sample import GroundingSample
from glip.evaluation.phrase_hits import PhraseHits
from glip.visualization.scene import Scene


@dataclass(frozen=True, eq=False)
class JudgedCaption:
    """A caption, its annotated boxes, and the detections of its phrases.

    Attributes:
        sample: The annotation.
        path: The picture file.
        entry: ``img_id``, ``bboxes``, ``scores`` and ``labels`` of the detections.
        hits: Index of a phrase with boxes -> its detections, judged.
        iou_thr: Overlap from which on a box is right.
    """

    sample: GroundingSample
    path: str
    entry: Mapping[str, Any]
    hits: Mapping[int, PhraseHits]
    iou_thr: float

    @property
    def img_id(self) -> Any:
        """Id of the caption in the annotations."""
        return self.entry['img_id']

    @property
    def caption(self) -> str:
        """The sentence."""
        return self.sample.caption

    @property
    def quality(self) -> tuple[float, int, float]:
        """Share of phrases whose first box is right.

        Of equal ones that with most phrases missed comes first, then that with the
        lowest overlap. A caption without boxes has nothing to miss.
        """
        first = [
            float(hits.separate[0]) if len(hits.separate) else 0.0
            for hits in self.hits.values()
        ]
        if not first:
            return 1.0, 0, 1.0
        missed = sum(iou < self.iou_thr for iou in first)
        return 1 - missed / len(first), -missed, sum(first) / len(first)

    def notes(self) -> list[str]:
        """How many phrases are right, and of the others how far off they are."""
        ranks = [(hits, hits.rank(self.iou_thr)) for hits in self.hits.values()]
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

    def sides(self, image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
        """The true boxes, and the most certain box of each phrase."""
        phrases = self.sample.phrases
        boxes = [box for phrase in phrases for box in phrase.boxes]
        labels = [i for i, phrase in enumerate(phrases) for _ in phrase.boxes]
        entry, best = self.entry, []
        for number in range(len(phrases)):
            rows = np.flatnonzero(entry['labels'] == number)
            if len(rows):
                best.append(rows[np.argmax(entry['scores'][rows])])
        detected = {key: entry[key][best] for key in ('bboxes', 'labels', 'scores')}
        return [
            (
                'annotated',
                self._scene(image, 'missed', factor * np.array(boxes), labels),
            ),
            (
                'the best box of each phrase',
                self._scene(
                    image,
                    'wrong',
                    factor * detected['bboxes'],
                    detected['labels'],
                    detected['scores'],
                ),
            ),
        ]

    def _scene(
        self,
        image: np.ndarray,
        mistake: str,
        boxes: np.ndarray,
        labels: Any,
        scores: np.ndarray | None = None,
    ) -> Scene:
        """Boxes of phrases, which say whether the first box found is right."""
        names = []
        for number, phrase in enumerate(self.sample.phrases):
            name = ' / '.join(self.caption[begin:end] for begin, end in phrase.spans)
            if number not in self.hits:
                name += ': not judged'
            elif self.hits[number].rank(self.iou_thr) != 0:
                name += f': {mistake}'
            names.append(name)
        labels = np.asarray(labels, dtype=np.int64)
        return Scene(
            image=image,
            caption=self.caption,
            phrases=tuple(phrase.spans for phrase in self.sample.phrases),
            names=tuple(names),
            boxes=boxes.reshape(-1, 4),
            labels=labels,
            ignored=~np.isin(labels, list(self.hits)),
            scores=scores,
        )
