"""What metrics of phrases share: what they keep of a caption, and their file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from glip.errors import ConfigError, DatasetError
from glip.evaluation.phrase_hits import phrase_hits, rank_from_one
from glip.evaluation.predictions import as_array, entry_of
from glip.runtime.writing import write_json


class PhraseMetric(BaseMetric):
    """Judges the boxes of phrases; its subclasses say what of that is a result.

    The arguments are those of :class:`glip.evaluation.Flickr30kMetric`.

    Raises:
        ConfigError: ``topk`` is empty or holds no numbers of boxes, or ``iou_thrs`` is
            no overlap.
    """

    _special_topk: tuple[int, ...] = ()  # of ``topk``, what is no number of boxes

    def __init__(
        self,
        topk: Sequence[int],
        iou_thrs: float,
        outfile_prefix: str | os.PathLike[str] | None,
        collect_device: str,
        prefix: str | None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        counts = [k for k in topk if k not in self._special_topk]
        if not topk or any(int(k) != k or k < 1 for k in counts):
            also = ''.join(f', or {k}' for k in self._special_topk)
            raise ConfigError(f'topk must hold numbers from 1 on{also}, not {topk}')
        if not 0 < iou_thrs <= 1:
            raise ConfigError(f'iou_thrs must lie between 0 and 1, not {iou_thrs}')
        self.topk = tuple(topk)
        self.iou_thrs = iou_thrs
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep how the boxes for the phrases of a batch lie.

        Args:
            data_batch: Not used.
            data_samples: With ``pred_instances`` and ``gt_instances`` in pixels of the
                original picture, and the meta keys of grounding samples
                (:class:`glip.transforms.PackDetInputs`); mmdet's ``phrase_ids`` go
                before the labels of the true boxes.

        Raises:
            ConfigError: A sample carries no true boxes.
            DatasetError: It has classes in place of a caption, or is not what the
                metric judges.
        """
        name = type(self).__name__
        for sample in data_samples:
            entry = _hits_of(sample, name)
            self.check(entry)
            # One per picture: several processes tell repeated ones by that.
            self.results.append(entry)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Results by name, and the file where one is asked for.

        Raises:
            ConfigError: The entries are another metric's, which saw joined data.
            DatasetError: They are not what the metric judges.
        """
        if any('phrases' not in entry for entry in results):
            raise ConfigError(
                f'{type(self).__name__} got what a metric of boxes of classes keeps: '
                'MultiDatasetsEvaluator cannot join data of classes with data of '
                'captions; evaluate them one after the other'
            )
        for entry in results:
            self.check(entry)
        values = self.values_of(results)
        if self.outfile_prefix is not None:
            content = {
                'results': values,
                'iou_thr': self.iou_thrs,
                'phrases': list(_rows(results, self.iou_thrs)),
            }
            write_json(f'{os.fspath(self.outfile_prefix)}.phrases.json', content)
        return values

    def check(self, entry: Mapping[str, Any]) -> None:
        """Refuse a caption that the metric does not judge."""

    def values_of(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Results by name, which also go into the log.

        Args:
            results: Of each caption ``img_id``, ``caption``, ``dataset_name``,
                ``asked`` (how many phrases the prompt marks) and ``phrases``, a
                :class:`glip.evaluation.phrase_hits.PhraseHits` for each with boxes.
        """
        raise NotImplementedError

    def log_table(self, title: str, rows: Sequence[Sequence[str]]) -> None:
        """Log a table whose first row is its head."""
        MMLogger.get_current_instance().info(
            f'{title}, IoU from {self.iou_thrs:g}\n{AsciiTable(list(rows)).table}'
        )


def _hits_of(sample: Mapping[str, Any], metric: str) -> dict[str, Any]:
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
