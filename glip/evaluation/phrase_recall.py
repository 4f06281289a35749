"""Phrase grounding recall: is one of the best boxes for a phrase on what it means?"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from glip.errors import ConfigError
from glip.evaluation.phrase_hits import (
    PhraseHits,
    check_entries,
    hits_of_sample,
    write_phrases,
)
from glip.registry import METRICS

# Of Flickr30k Entities, in the order in which papers list them.
TYPES = (
    *('people', 'clothing', 'bodyparts', 'animals', 'vehicles', 'instruments'),
    *('scene', 'other'),
)


@METRICS.register_module()
class Flickr30kMetric(BaseMetric):
    """Recall@k over the phrases of captions (GLIP paper section 4.2, table 4).

    A phrase counts as found at k if one of its k best boxes overlaps what it means
    by at least ``iou_thrs``. Every caption of a picture is evaluated on its own.
    The protocol is MDETR's, which the original uses; name and arguments are those of
    mmdet's metric. Unlike in both, pictures may be evaluated in batches; a phrase
    without any detection is one that was not found.

    Where the annotations have types of phrases (Flickr30k Entities' own files),
    recall is also given by type; a phrase of two types counts for both.

    Args:
        topk: The k of recall@k; -1 stands for all boxes, the upper bound.
        iou_thrs: Overlap from which on a box is on the thing.
        merge_boxes: What a phrase with several true boxes means: any of them (False,
            "separate" or "any box", the published numbers of GLIP), the one box that
            encloses all (True, "merged"), or ``'both'``, which gives the results of
            the latter with ``merged_`` before their names.
        outfile_prefix: Write results and what became of each phrase to
            ``<prefix>.phrases.json``.
        collect_device: Where results of several processes are gathered.
        prefix: Goes before the names of the results, ``R@1`` and so on in percent.

    Raises:
        ConfigError: An argument has no meaning.
    """

    default_prefix = 'flickr30k'

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10, -1),
        iou_thrs: float = 0.5,
        merge_boxes: bool | Literal['both'] = False,
        outfile_prefix: str | os.PathLike[str] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        check_thresholds(topk, iou_thrs, special=(-1,))
        if merge_boxes not in (False, True, 'both'):
            raise ConfigError(
                f"merge_boxes must be False, True or 'both', not {merge_boxes!r}"
            )
        self.topk = tuple(topk)
        self.iou_thrs = iou_thrs
        self.merge_boxes = merge_boxes
        self.outfile_prefix = outfile_prefix

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep how the boxes for the phrases of a batch lie.

        Args:
            data_batch: Not used.
            data_samples: See :func:`glip.evaluation.phrase_hits.hits_of_sample`.
        """
        name = type(self).__name__
        # One entry per picture: several processes tell repeated ones by that.
        self.results.extend(hits_of_sample(sample, name) for sample in data_samples)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Share of the phrases found.

        Args:
            results: An entry per caption.

        Returns:
            ``R@<k>`` in percent, ``upper_bound`` for -1, the number of ``phrases``,
            and the same by type, as ``R@1_people``, where there are types.
        """
        check_entries(results, type(self).__name__)
        phrases = [phrase for entry in results for phrase in entry['phrases']]
        groups = {'': phrases, **group_by_type(phrases)}
        protocols = {False: ('',), True: ('',), 'both': ('', 'merged_')}
        values: dict[str, float] = {}
        for name in protocols[self.merge_boxes]:
            merged = self.merge_boxes is True or bool(name)
            for kind, group in groups.items():
                end = f'_{kind}' if kind else ''
                ranks = [one.rank(self.iou_thrs, merged=merged) for one in group]
                for k in self.topk:
                    key = f'{name}{_said(k)}{end}'
                    values[key] = 100 * share_within(ranks, k)
            self._log(values, name, groups, merged)
        for kind, group in groups.items():
            # A float: whole numbers get lost on the way to mmengine's JSON.
            values[f'phrases_{kind}' if kind else 'phrases'] = float(len(group))
        if self.outfile_prefix is not None:
            path = f'{os.fspath(self.outfile_prefix)}.phrases.json'
            write_phrases(path, results, values, self.iou_thrs)
        return values

    def _log(
        self,
        values: dict[str, float],
        name: str,
        groups: dict[str, list[PhraseHits]],
        merged: bool,
    ) -> None:
        """A table of one protocol."""
        rows = [['phrases', 'number', *map(_said, self.topk)]]
        for kind, group in groups.items():
            end = f'_{kind}' if kind else ''
            recalls = [values[f'{name}{_said(k)}{end}'] for k in self.topk]
            shown = [f'{value:.2f}' for value in recalls]
            rows.append([kind or 'all', str(len(group)), *shown])
        title = 'merged boxes' if merged else 'any box'
        MMLogger.get_current_instance().info(
            f'recall of phrases, {title}, IoU from {self.iou_thrs:g}\n'
            f'{AsciiTable(rows).table}'
        )


def check_thresholds(
    topk: Sequence[int], iou_thr: float, special: Sequence[int] = ()
) -> None:
    """Refuse numbers that mean nothing.

    Raises:
        ConfigError: ``topk`` is empty or holds others than whole numbers from 1 on
            and the special ones, or ``iou_thr`` is no overlap.
    """
    if not topk or any(k not in special and (int(k) != k or k < 1) for k in topk):
        also = ''.join(f', or {k}' for k in special)
        raise ConfigError(f'topk must hold numbers from 1 on{also}, not {topk}')
    if not 0 < iou_thr <= 1:
        raise ConfigError(f'iou_thrs must lie between 0 and 1, not {iou_thr}')


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


def _said(k: int) -> str:
    """Name of a recall."""
    return 'upper_bound' if k == -1 else f'R@{k}'
