"""How the boxes that were found for a phrase lie on what the phrase means."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glip.errors import ConfigError, DatasetError
from glip.evaluation.overlaps import overlaps
from glip.evaluation.predictions import as_array, entry_of
from glip.runtime.atomic import atomic_write

Span = tuple[int, int]


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
        mine = np.flatnonzero(entry['labels'] == phrase)
        # Stable: of equal scores the model's first stays first.
        mine = mine[np.argsort(-entry['scores'][mine], kind='stable')]
        detected, true = entry['bboxes'][mine], boxes[phrases == phrase]
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
                score=float(entry['scores'][mine[0]]) if len(detected) else None,
            )
        )
    return hits


def hits_of_sample(sample: Mapping[str, Any], metric: str) -> dict[str, Any]:
    """What a metric keeps of one evaluated caption.

    Args:
        sample: A data sample as dict: ``pred_instances`` and ``gt_instances`` in
            pixels of the original picture, and the meta keys of grounding samples
            (:class:`glip.transforms.PackDetInputs`); mmdet's ``phrase_ids``
            go before the labels of the true boxes.
        metric: Its name, for messages.

    Returns:
        ``img_id``, ``caption``, ``dataset_name``, ``asked`` (how many phrases the
        prompt marks) and ``phrases``, a :class:`PhraseHits` for each that has boxes.

    Raises:
        ConfigError: The sample carries no true boxes.
        DatasetError: It has classes in place of a caption.
    """
    caption = sample.get('text')
    if caption is not None and not isinstance(caption, str):
        raise DatasetError(
            f'{metric} judges phrases of captions, but the test data has classes '
            f'({", ".join(map(str, list(caption)[:3]))}, ...): evaluate those with '
            'CocoMetric or LVISMetric, or give a data set of captions, such as '
            'Flickr30kDataset'
        )
    if 'gt_instances' not in sample:
        raise ConfigError(
            f'{metric} needs the true boxes with every picture: put LoadAnnotations '
            'with with_bbox=True before PackDetInputs in the pipeline of the test data'
        )
    truth = sample['gt_instances']
    phrases = sample.get('phrase_ids', truth['labels'])
    spans = sample.get('tokens_positive')
    spans = spans if isinstance(spans, (list, tuple)) else ()
    hits = phrase_hits(
        entry_of(sample),
        as_array(truth['bboxes'], np.float64).reshape(-1, 4),
        as_array(phrases, np.int64).reshape(-1),
        caption=caption or '',
        spans=spans,
        types=sample.get('phrase_types') or (),
    )
    return {
        'img_id': sample.get('img_id'),
        'caption': caption or '',
        'dataset_name': sample.get('dataset_name', ''),
        'asked': len(spans),
        'phrases': hits,
    }


def check_entries(results: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Make sure that results are those of :func:`hits_of_sample`.

    Raises:
        ConfigError: They are another metric's, which saw joined data in its place.
    """
    if any('phrases' not in entry for entry in results):
        raise ConfigError(
            f'{metric} got what a metric of boxes of classes keeps: '
            'MultiDatasetsEvaluator cannot join data of classes with data of captions; '
            'evaluate them one after the other'
        )


def write_phrases(
    path: str | os.PathLike[str],
    results: Iterable[Mapping[str, Any]],
    values: Mapping[str, float],
    iou_thr: float,
) -> None:
    """Write results and what became of each phrase as one JSON file.

    Args:
        path: Where to; the file appears when it is whole.
        results: As of :func:`hits_of_sample`.
        values: The results by name.
        iou_thr: From which overlap on a box is right.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        'results': dict(values),
        'iou_thr': iou_thr,
        'phrases': list(_rows(results, iou_thr)),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    with atomic_write(path) as part:
        part.write_text(text, encoding='utf-8')


def _rows(
    results: Iterable[Mapping[str, Any]], iou_thr: float
) -> Iterator[dict[str, Any]]:
    for entry in results:
        for phrase in entry['phrases']:
            row = {
                'image_id': entry['img_id'],
                'caption': entry['caption'],
                'phrase': phrase.words,
                'tokens_positive': phrase.spans,
                'rank': rank_from_one(phrase.rank(iou_thr)),
                'rank_merged': rank_from_one(phrase.rank(iou_thr, merged=True)),
                'iou': float(phrase.separate[0]) if len(phrase.separate) else 0.0,
                'bbox': phrase.box,
                'score': phrase.score,
            }
            if phrase.types:
                row['types'] = phrase.types
            if entry['dataset_name']:
                row['dataset_name'] = entry['dataset_name']
            yield row


def rank_from_one(rank: int | None) -> int | None:
    """Places as people count them."""
    return None if rank is None else rank + 1
