"""LVIS average precision: by the rules of its tool, and fixed AP."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from glip.datasets.coco_file import CocoFile, read_sections
from glip.errors import ConfigError, DatasetError
from glip.evaluation.box_ap import BoxAP
from glip.evaluation.coco_metric import CocoMetric, Item, result_items
from glip.evaluation.detection_rows import DetectionRows
from glip.registry import METRICS

_FREQUENCIES = ('r', 'c', 'f')  # rare, common, frequent


@METRICS.register_module()
class LVISMetric(CocoMetric):
    """Box AP as LVIS defines it (arXiv 1908.03195, section 3).

    A class is judged only on pictures that have it or are known not to have it, and a
    detection of a class that is not annotated everywhere in its picture is no mistake.
    Equal to the official tool to the last digit. So boxes without area, annotated
    (``area: 0``) or detected, count as nothing. Arguments and result names are those of
    mmdet's metric, but for masks, which ``mmdet.LVISMetric`` measures.

    Args:
        ann_file: LVIS v1, v0.5 or any file with ``neg_category_ids`` and
            ``not_exhaustive_category_ids`` of its images and ``frequency`` of its
            categories.
        metric: ``'bbox'``, or ``'proposal_fast'``, recall whatever the class by mmdet's
            own matching, or both. (Of ``'proposal'`` the official tool finds nothing.)
        classwise: Give AP of each class, as table and as results
            ``<name>_precision``.
        proposal_nums: Most detections per picture; of several numbers the largest.
        metric_items: Which results; by default AP, AP50, AP75, APs, APm, APl, APr,
            APc, APf. Also there: AR@<n>, ARs@<n>, ARm@<n> and ARl@<n>.
        format_only: Write the detections, do not evaluate.
        outfile_prefix: Write detections as ``<prefix>.bbox.json``, as LVIS's server
            takes them, with class names.
        **kwargs: See :class:`glip.evaluation.CocoMetric`.

    Raises:
        ConfigError: An argument has no meaning here.
        DatasetError: There is no such annotation file, or it is not LVIS's.
    """

    default_prefix = 'lvis'
    _MEASURES = ('bbox', 'proposal_fast')
    _federated = True

    def __init__(
        self,
        ann_file: str | os.PathLike[str] | None = None,
        metric: str | Sequence[str] = 'bbox',
        classwise: bool = False,
        proposal_nums: int | Sequence[int] = 300,
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        if ann_file is None:
            raise ConfigError(
                f'{type(self).__name__} needs ann_file: only the file says which '
                'classes a picture was searched for'
            )
        super().__init__(
            ann_file, metric=metric, classwise=classwise, iou_thrs=iou_thrs, **kwargs
        )
        numbers = [proposal_nums] if isinstance(proposal_nums, int) else proposal_nums
        self.proposal_nums = sorted(numbers)
        self._limits = self.proposal_nums[-1:]
        self._items = result_items('AP', '', self._limits)
        self._items |= {f'AP{letter}': BoxAP.ap for letter in _FREQUENCIES}
        self.metric_items = self._choose(metric_items)

    def _items_of(self, coco: CocoFile) -> dict[str, Item]:
        return self._items | {
            f'AP{letter}': partial(BoxAP.ap, classes=classes)
            for letter, classes in self._frequencies(coco).items()
        }

    def _judged(self, coco: CocoFile) -> CocoFile:
        boxes = {
            image_id: tuple(box for box in of_image if box['area'] > 0)
            for image_id, of_image in coco.boxes.items()
        }
        return replace(coco, boxes=boxes)

    def _limited(self, detections: DetectionRows) -> DetectionRows:
        return detections.best_per_image(*self._limits).with_area()

    def _frequencies(self, coco: CocoFile) -> dict[str, list[int]]:
        """Rare, common and frequent classes, as the file must say."""
        content = read_sections(coco.path, self.backend_args)
        frequency = {c['id']: c.get('frequency') for c in content['categories']}
        groups: dict[str, list[int]] = {letter: [] for letter in _FREQUENCIES}
        for label, category in enumerate(coco.category_ids):
            if frequency[category] not in groups:
                raise DatasetError(
                    f'{coco.path}: category {coco.names[label]!r} has the frequency '
                    f'{frequency[category]!r}, not one of {", ".join(groups)}; LVIS '
                    'files have it, CocoMetric evaluates files without'
                )
            groups[frequency[category]].append(label)
        if not any('neg_category_ids' in image for image in coco.images):
            raise DatasetError(
                f'{coco.path}: its images have no neg_category_ids, without which no '
                'absent class can be judged; use the file that LVIS publishes'
            )
        return groups


@METRICS.register_module()
class LVISFixedAPMetric(LVISMetric):
    """Fixed AP of LVIS (Dave et al., arXiv 2102.01066).

    No limit per picture, which classes would compete for, but one of ``topk`` per class
    over the whole data set. Results are ``AP``, ``APr``, ``APc``, ``APf``.

    Args:
        ann_file: See :class:`LVISMetric`.
        topk: Most detections of a class.
        **kwargs: See :class:`LVISMetric`.
    """

    default_prefix = 'lvis_fixed_ap'
    _MEASURES = ('bbox',)
    _result_prefix = ''

    def __init__(
        self,
        ann_file: str | os.PathLike[str] | None = None,
        topk: int = 10000,
        **kwargs: Any,
    ) -> None:
        if topk < 1:
            raise ConfigError(f'topk={topk} of LVISFixedAPMetric must be 1 or more')
        kwargs.setdefault('metric_items', ('AP', 'APr', 'APc', 'APf'))
        super().__init__(ann_file, **kwargs)
        self._limits = [topk]

    def _limited(self, detections: DetectionRows) -> DetectionRows:
        return detections.best_per_class(*self._limits).with_area()
