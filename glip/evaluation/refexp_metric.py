"""Referring expressions: is the best box for a sentence on the thing it means?"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from glip.datasets.coco_file import checked_images, read_sections
from glip.errors import ConfigError, DatasetError
from glip.evaluation.coco_metric import check_annotation_file
from glip.evaluation.phrase_hits import PhraseHits, share_within
from glip.evaluation.phrase_metric import PhraseMetric
from glip.registry import METRICS
from glip.runtime.reading import listed, warn

_ACCURACY_IOU = 0.5


@METRICS.register_module()
class RefExpMetric(PhraseMetric):
    """Precision@k of sentences that mean one thing: RefCOCO, RefCOCO+, RefCOCOg.

    A sentence counts at k if one of its k best boxes overlaps its one true box by at
    least ``iou_thrs``. Name, arguments, names and scale (0 to 1) of the results are
    those of mmdet's metric, with these differences: only sets that were evaluated
    have results and enter ``mean_precision``; a sentence for which nothing is found
    is one that was not found; the true boxes come with the pictures, not from
    ``ann_file``. (MDETR's own evaluation takes generalised IoU, which is never
    higher.)

    The sentence is one phrase: its score at a place is that of any phrase, the mean
    over its tokens or what ``model.test_cfg.score_agg`` says.

    Args:
        ann_file: The annotation file of the data set, where it is of MDETR's layout;
            if given, what was evaluated must be in it.
        metric: ``'bbox'``.
        topk: The k of precision@k.
        iou_thrs: Overlap from which on a box is on the thing.
        outfile_prefix: Write results and what became of each sentence to
            ``<prefix>.phrases.json``.
        collect_device: Where results of several processes are gathered.
        prefix: Goes before the names of the results.

    Raises:
        ConfigError: An argument has no meaning.
        DatasetError: There is no such annotation file.
    """

    default_prefix = 'refexp'

    def __init__(
        self,
        ann_file: str | os.PathLike[str] | None = None,
        metric: str = 'bbox',
        topk: Sequence[int] = (1, 5, 10),
        iou_thrs: float = 0.5,
        outfile_prefix: str | os.PathLike[str] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(topk, iou_thrs, outfile_prefix, collect_device, prefix)
        if metric != 'bbox':
            raise ConfigError(f"RefExpMetric measures 'bbox' only, not {metric!r}")
        self.ann_file = None if ann_file is None else os.fspath(ann_file)
        # Asked here, as the metric itself comes after all pictures.
        if self.ann_file:
            check_annotation_file(self.ann_file)

    def check(self, entry: Mapping[str, Any]) -> None:
        """Refuse all but one phrase of one box, or of none that could be read.

        Raises:
            DatasetError: A caption has several phrases, or means several boxes.
        """
        phrases = entry['phrases']
        if entry['asked'] > 1 or len(phrases) > 1:
            raise DatasetError(
                f'RefExpMetric judges sentences as a whole, but the caption '
                f'{entry["img_id"]!r} ({entry["caption"]!r:.60}) has several phrases: '
                'evaluate those with Flickr30kMetric, or set whole_caption=True in the '
                'data set'
            )
        if phrases and phrases[0].targets > 1:
            raise DatasetError(
                f'RefExpMetric judges sentences that mean one thing, but '
                f'{entry["img_id"]!r} ({entry["caption"]!r:.60}) has '
                f'{phrases[0].targets} boxes (gRefCOCO is another task)'
            )

    def values_of(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """Share of the sentences understood, 0 to 1.

        Returns:
            ``mean_precision`` over sets and k; of each set, named by the annotations,
            ``<set>_precision@<k>`` and ``<set>_acc@0.5``, the share whose best box has
            an IoU of 0.5; the number of ``expressions``. Where the annotations name no
            set, ``precision@<k>`` and ``acc@0.5``.

        Raises:
            DatasetError: What was evaluated is not in ``ann_file``.
        """
        self._check_ids(results)
        boxless = [entry['img_id'] for entry in results if not entry['phrases']]
        if boxless:
            warn(
                f'{len(boxless)} sentences without a box are left out '
                f'(ids {listed(boxless)})'
            )
        groups: dict[str, list[PhraseHits]] = {}
        for entry in results:
            groups.setdefault(entry['dataset_name'], []).extend(entry['phrases'])
        sets: dict[str, float] = {}
        for name, phrases in groups.items():
            ranks = [phrase.rank(self.iou_thrs) for phrase in phrases]
            start = f'{name}_' if name else ''
            for k in self.topk:
                sets[f'{start}precision@{k}'] = share_within(ranks, k)
            accurate = [phrase.rank(_ACCURACY_IOU) for phrase in phrases]
            sets[f'{start}acc@{_ACCURACY_IOU:g}'] = share_within(accurate, 1)
        precisions = [value for key, value in sets.items() if 'precision@' in key]
        mean = sum(precisions) / len(precisions) if precisions else 0.0
        values = {'mean_precision': mean, **sets}
        values['expressions'] = float(sum(map(len, groups.values())))
        self._log(sets, groups)
        return values

    def _check_ids(self, results: Sequence[Mapping[str, Any]]) -> None:
        """What was evaluated must be what the annotation file lists."""
        if not self.ann_file:
            return
        images = checked_images(read_sections(self.ann_file), self.ann_file)
        known = {image['id'] for image in images}
        stray = [e['img_id'] for e in results if e['img_id'] not in known]
        if stray:
            raise DatasetError(
                f'the evaluated sentences {listed(stray)} are not in {self.ann_file}: '
                "the metric's ann_file must be that of the data set"
            )

    def _log(
        self, sets: Mapping[str, float], groups: Mapping[str, Sequence[PhraseHits]]
    ) -> None:
        columns = [f'precision@{k}' for k in self.topk] + [f'acc@{_ACCURACY_IOU:g}']
        rows = [['set', 'sentences', *columns]]
        for name, phrases in groups.items():
            start = f'{name}_' if name else ''
            shown = [f'{100 * sets[start + column]:.2f}%' for column in columns]
            rows.append([name or 'all', str(len(phrases)), *shown])
        self.log_table('referring expressions', rows)
