"""Phrase grounding recall: is one of the best boxes for a phrase on what it means?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from glip.errors import ConfigError
from glip.evaluation.phrase_hits import PhraseHits, group_by_type, share_within
from glip.evaluation.phrase_metric import PhraseMetric
from glip.registry import METRICS


@METRICS.register_module()
class Flickr30kMetric(PhraseMetric):
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
    _special_topk = (-1,)

    def __init__(
        self,
        topk: Sequence[int] = (1, 5, 10, -1),
        iou_thrs: float = 0.5,
        merge_boxes: bool | Literal['both'] = False,
        outfile_prefix: str | os.PathLike[str] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(topk, iou_thrs, outfile_prefix, collect_device, prefix)
        if merge_boxes not in (False, True, 'both'):
            raise ConfigError(
                f"merge_boxes must be False, True or 'both', not {merge_boxes!r}"
            )
        self.merge_boxes = merge_boxes

    def values_of(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Share of the phrases found.

        Returns:
            ``R@<k>`` in percent, ``upper_bound`` for -1, the number of ``phrases``,
            and the same by type, as ``R@1_people``, where there are types.
        """
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
                    key = f'{name}{_key(k)}{end}'
                    values[key] = 100 * share_within(ranks, k)
            self._log(values, name, groups, merged)
        for kind, group in groups.items():
            # A float: whole numbers get lost on the way to mmengine's JSON.
            values[f'phrases_{kind}' if kind else 'phrases'] = float(len(group))
        return values

    def _log(
        self,
        values: dict[str, float],
        name: str,
        groups: dict[str, list[PhraseHits]],
        merged: bool,
    ) -> None:
        rows = [['phrases', 'number', *map(_key, self.topk)]]
        for kind, group in groups.items():
            end = f'_{kind}' if kind else ''
            recalls = [values[f'{name}{_key(k)}{end}'] for k in self.topk]
            shown = [f'{value:.2f}' for value in recalls]
            rows.append([kind or 'all', str(len(group)), *shown])
        title = 'merged boxes' if merged else 'any box'
        self.log_table(f'recall of phrases, {title}', rows)


def _key(k: int) -> str:
    return 'upper_bound' if k == -1 else f'R@{k}'
