"""How the boxes that were found for a phrase lie on what the phrase means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.evaluation.overlaps import overlaps

Span = tuple[int, int]
# Of Flickr30k Entities, in the order in which papers list them.
TYPES = (
    *('people', 'clothing', 'bodyparts', 'animals', 'vehicles', 'instruments'),
    *('scene', 'other'),
)


@dataclass(frozen=True, eq=False, slots=True)
class PhraseHits:
    """What was found for one phrase.

    Attributes:
        words: The phrase.
        spans: Its characters in the caption.
        types: What kinds of things it means, where the annotations say so.
        targets: How many true boxes it has.
        separate: (N,) IoU of each box found, the most certain first, with the true
            box that it overlaps most.
        merged: (N,) IoU with the one box that encloses all true ones.
        box: x1 y1 x2 y2 of the most certain one; None where nothing was found.
        score: Its score.
    """

    words: str
    spans: tuple[Span, ...]
    types: tuple[str, ...]
    targets: int
    separate: np.ndarray
    merged: np.ndarray
    box: tuple[float, ...] | None
    score: float | None

    def rank(self, iou_thr: float, *, merged: bool = False) -> int | None:
        """Place of the first box with such an overlap, from 0; None for no such."""
        hits = np.flatnonzero((self.merged if merged else self.separate) >= iou_thr)
        return int(hits[0]) if len(hits) else None


def phrase_hits(
    entry: Mapping[str, Any],
    boxes: np.ndarray,
    phrases: np.ndarray,
    *,
    caption: str = '',
    spans: Sequence[Sequence[Span]] = (),
    types: Sequence[Sequence[str]] = (),
) -> list[PhraseHits]:
    """Compare what was found in a picture with what its caption means.

    Phrases without a true box are passed over, as by the evaluation of Flickr30k
    Entities.

    Args:
        entry: ``bboxes`` (N, 4) x1 y1 x2 y2, ``scores`` (N,), ``labels`` (N,), the
            phrases that they were found for.
        boxes: (M, 4) true boxes.
        phrases: (M,) the phrases that they are of.
        caption: The sentence.
        spans: Phrase -> its characters in the caption.
        types: Phrase -> its types.

    Returns:
        The phrases in ascending order.
    """
    hits = []
    for phrase in np.unique(phrases).tolist():
        rows = np.flatnonzero(entry['labels'] == phrase)
        # Stable: of equal scores the model's first stays first.
        rows = rows[np.argsort(-entry['scores'][rows], kind='stable')]
        detected, true = entry['bboxes'][rows], boxes[phrases == phrase]
        separate = overlaps(detected, true).max(axis=1)
        merged = separate
        if len(true) > 1:
            whole = np.concatenate([true[:, :2].min(0), true[:, 2:].max(0)])
            merged = overlaps(detected, whole[None])[:, 0]
        phrase_spans = tuple(spans[phrase]) if phrase < len(spans) else ()
        hits.append(
            PhraseHits(
                words=' / '.join(caption[begin:end] for begin, end in phrase_spans),
                spans=tuple((int(begin), int(end)) for begin, end in phrase_spans),
                types=tuple(types[phrase]) if phrase < len(types) else (),
                targets=len(true),
                separate=separate,
                merged=merged,
                box=tuple(detected[0].tolist()) if len(detected) else None,
                score=float(entry['scores'][rows[0]]) if len(detected) else None,
            )
        )
    return hits


def rank_from_one(rank: int | None) -> int | None:
    """Places as people count them."""
    return None if rank is None else rank + 1


def share_within(ranks: Sequence[int | None], k: int) -> float:
    """Share of those found among the first ``k``, or at all for -1; 0 of none."""
    hits = sum(rank is not None and (k == -1 or rank < k) for rank in ranks)
    return hits / len(ranks) if ranks else 0.0


def group_by_type(phrases: Sequence[PhraseHits]) -> dict[str, list[PhraseHits]]:
    """Type -> its phrases, the known types first."""
    groups: dict[str, list[PhraseHits]] = {}
    for phrase in phrases:
        for kind in phrase.types:
            groups.setdefault(kind, []).append(phrase)
    known = [kind for kind in TYPES if kind in groups]
    order = [*known, *sorted(groups.keys() - set(known))]
    return {kind: groups[kind] for kind in order}
