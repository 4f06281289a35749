"""``--plots`` of captions: which phrases are found, and which are not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.datasets.base import PromptedDataset
from glip.datasets.sample import GroundingSample
from glip.errors import DatasetError
from glip.evaluation.phrase_hits import (
    PhraseHits,
    group_by_type,
    phrase_hits,
    rank_from_one,
    share_within,
)
from glip.evaluation.predictions import check_pictures
from glip.report.figures import Bars, draw_bars, draw_recall
from glip.report.judged_captions import JudgedCaption
from glip.report.worst import write_worst
from glip.runtime.writing import write_csv, write_json

_KS = (1, 5, 10)
_HEAD = (
    *('image_id', 'file', 'caption', 'phrase', 'types', 'boxes'),
    *('rank', 'rank_merged', 'iou', 'score', 'found'),
)
_AREAS = (('small', 32**2), ('medium', 96**2), ('large', float('inf')))  # COCO's


def has_phrases(dataset: Any) -> bool:
    """Whether a data set is one of captions with boxes for their phrases."""
    return (
        isinstance(dataset, PromptedDataset)
        and len(dataset) > 0
        and isinstance(dataset.get_sample(0), GroundingSample)
    )


def write_phrase_plots(
    entries: Sequence[Mapping[str, Any]],
    dataset: PromptedDataset,
    folder: Path,
    *,
    iou_thr: float,
    worst: int,
) -> list[Path]:
    """Figures, tables and the page of one data set of captions.

    Arguments and result are those of :func:`glip.report.plots.write_plots`.

    Raises:
        DatasetError: The entries are not of these captions.
        OSError: They cannot be written.
    """
    judged = _judge(entries, dataset, iou_thr)
    phrases = [hits for caption in judged for hits in caption.hits.values()]
    protocols = {'any box': _ranks(phrases, iou_thr)}
    if any(phrase.targets > 1 for phrase in phrases):
        protocols['merged boxes'] = _ranks(phrases, iou_thr, merged=True)
    by_type = {k: _ranks(v, iou_thr) for k, v in group_by_type(phrases).items()}
    kinds = {'all': protocols['any box'], **by_type, **_kinds(judged, iou_thr)}
    facts = _facts(dataset, judged, protocols, iou_thr)
    bars = [
        Bars(name, len(ranks), *(100 * share_within(ranks, k) for k in (1, 10)))
        for name, ranks in kinds.items()
    ]
    folder.mkdir(parents=True, exist_ok=True)
    files = [
        draw_recall(protocols, folder / 'recall.png', thin=by_type),
        draw_bars(
            bars,
            folder / 'recall_by_kind.png',
            title='R@1 / R@10 by kind of phrase (phrases in brackets)',
            xlabel='recall',
        ),
        write_csv(folder / 'phrases.csv', _HEAD, _rows(judged, iou_thr)),
        write_json(
            folder / 'summary.json',
            {
                'facts': dict(facts),
                **{k.replace(' ', '_'): _recalls(v) for k, v in protocols.items()},
                'kinds': {name: _recalls(ranks) for name, ranks in kinds.items()},
            },
        ),
    ]
    pages = write_worst(
        judged, folder / 'worst', title='Worst captions', count=worst, facts=facts
    )
    return pages + files


def _judge(
    entries: Sequence[Mapping[str, Any]], dataset: PromptedDataset, iou_thr: float
) -> list[JudgedCaption]:
    """Compare each caption with its detections."""
    source = dataset.ann_file or type(dataset).__name__
    records = [dataset.get_data_info(number) for number in range(len(dataset))]
    check_pictures(entries, (record['img_id'] for record in records), source)
    judged = []
    for number, (entry, record) in enumerate(zip(entries, records)):
        sample = dataset.get_sample(number)
        if not isinstance(sample, GroundingSample):
            raise DatasetError(
                f'{source} has classes as well as captions: plots need one or the other'
            )
        asked = len(record['tokens_positive'])
        if entry['labels'].max(initial=-1) >= asked:
            raise DatasetError(
                f'the predictions of {record["img_id"]!r} have the label '
                f'{int(entry["labels"].max())}, but its caption has {asked} phrases: '
                'give the config that they were made with'
            )
        judged.append(
            JudgedCaption(
                sample, record['img_path'], entry, _hits(entry, sample), iou_thr
            )
        )
    return judged


def _hits(entry: Mapping[str, Any], sample: GroundingSample) -> dict[int, PhraseHits]:
    """Phrase -> its detections, judged as the metrics judge."""
    asked = [i for i, phrase in enumerate(sample.phrases) if phrase.boxes]
    boxes = [(i, box) for i in asked for box in sample.phrases[i].boxes]
    hits = phrase_hits(
        entry,
        # Metrics get single precision from the pipeline.
        np.array([box for _, box in boxes], np.float32).reshape(-1, 4).astype(float),
        np.array([i for i, _ in boxes], dtype=np.int64),
        caption=sample.caption,
        spans=[phrase.spans for phrase in sample.phrases],
        types=[phrase.types for phrase in sample.phrases],
    )
    return dict(zip(asked, hits, strict=True))


def _ranks(
    phrases: Sequence[PhraseHits], iou_thr: float, *, merged: bool = False
) -> list[int | None]:
    return [phrase.rank(iou_thr, merged=merged) for phrase in phrases]


def _kinds(
    judged: Sequence[JudgedCaption], iou_thr: float
) -> dict[str, list[int | None]]:
    """Phrases by data set, by size of what they mean, and by number of boxes."""
    kinds: dict[str, list[int | None]] = {}
    sets = sorted({caption.sample.dataset_name for caption in judged})
    keys = [*sets] if len(sets) > 1 else []
    keys += [name for name, _ in _AREAS] + ['one box', 'several boxes']
    for caption in judged:
        for number, hits in caption.hits.items():
            rank = hits.rank(iou_thr)
            boxes = np.array(caption.sample.phrases[number].boxes)
            area = float((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).max())
            size = next(name for name, limit in _AREAS if area < limit)
            many = 'one box' if len(boxes) == 1 else 'several boxes'
            for key in (caption.sample.dataset_name, size, many):
                kinds.setdefault(key, []).append(rank)
    return {key or 'no set': kinds[key] for key in keys if key in kinds}


def _facts(
    dataset: PromptedDataset,
    judged: Sequence[JudgedCaption],
    protocols: Mapping[str, Sequence[int | None]],
    iou_thr: float,
) -> list[tuple[str, str]]:
    """Name and value of what matters most, in words."""
    phrases = len(protocols['any box'])
    facts = [
        ('annotations', str(dataset.ann_file or type(dataset).__name__)),
        ('captions', f'{len(judged)} of {len({c.path for c in judged})} pictures'),
        ('phrases', f'{phrases} with boxes'),
    ]
    for name, ranks in protocols.items():
        recalls = ', '.join(f'{100 * share_within(ranks, k):.1f}' for k in _KS)
        asked = ', '.join(f'R@{k}' for k in _KS)
        facts.append((f'{asked} ({name}, IoU from {iou_thr:g})', recalls))
    return facts


def _rows(judged: Sequence[JudgedCaption], iou_thr: float) -> Iterator[tuple[Any, ...]]:
    """Lines of ``phrases.csv``."""
    for caption in judged:
        for hits in caption.hits.values():
            iou = hits.separate[0] if len(hits.separate) else 0.0
            yield (
                *(caption.img_id, Path(caption.path).name, caption.caption),
                *(hits.words, '/'.join(hits.types), hits.targets),
                rank_from_one(hits.rank(iou_thr)),
                rank_from_one(hits.rank(iou_thr, merged=True)),
                f'{iou:.4f}',
                '' if hits.score is None else f'{hits.score:.4f}',
                len(hits.separate),
            )


def _recalls(ranks: Sequence[int | None]) -> dict[str, float]:
    """Recalls in percent, and of how many phrases."""
    return {
        'phrases': len(ranks),
        **{f'R@{k}': 100 * share_within(ranks, k) for k in _KS},
    }
