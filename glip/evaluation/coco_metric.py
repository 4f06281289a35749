"""COCO average precision, with ids and names that cannot be mixed up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from glip.datasets.coco_file import CocoFile, read_coco
from glip.errors import ConfigError, DatasetError
from glip.evaluation.box_ap import IOU_THRESHOLDS, BoxAP, box_ap
from glip.evaluation.coco_results import as_coco, compact, write_results
from glip.evaluation.detection_rows import DetectionRows
from glip.evaluation.predictions import check_labels
from glip.evaluation.proposals import class_agnostic_ap, fast_recall
from glip.evaluation.sample_truth import coco_of, truth_of
from glip.registry import METRICS

Item = Callable[[BoxAP], float]


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """Box AP as COCO defines it, for any COCO-format file.

    Arguments and result names are those of mmdet's metric, but for masks, which
    ``mmdet.CocoMetric`` measures. Differences: labels are
    paired with categories by name in the data set's own order, whatever ids or order
    the file has; annotations are numbered anew (pycocotools never counts a hit on id
    0); only the pictures that were shown are evaluated, so a subset may be; results are
    not rounded.

    Args:
        ann_file: The annotation file of the data set. With None, annotations are those
            of the samples, whose ``PackDetInputs`` has ``'instances'`` among its
            ``meta_keys``.
        metric: ``'bbox'``; ``'proposal'``, AR whatever the class; ``'proposal_fast'``,
            the same by mmdet's own matching and for any ``proposal_nums``; or several.
        classwise: Give AP, AP50 and AP75 of each class, as table and as results
            ``<name>_precision``.
        proposal_nums: Three numbers of detections per picture to take AR at, 100
            among them, which AP is taken at.
        iou_thrs: IoU thresholds; by default 0.5 to 0.95 by 0.05. Results at others,
            such as mAP_75, are -1.
        metric_items: Which results; of ``'bbox'`` by default mAP, mAP_50, mAP_75,
            mAP_s, mAP_m, mAP_l. Also there: AR@<n> for each of ``proposal_nums``, and
            AR_s@<n>, AR_m@<n> and AR_l@<n> for the last of them.
        format_only: Write the detections, do not evaluate.
        outfile_prefix: Write detections as ``<prefix>.bbox.json`` with class names.
        file_client_args: Only None, as in mmdet; use ``backend_args``.
        backend_args: mmengine's file backend for ``ann_file``.
        collect_device: Where results of several processes are gathered.
        prefix: Goes before the names of the results.
        sort_categories: Accepted for mmdet's configs; categories are paired by name.
        use_mp_eval: Accepted for mmdet's configs.

    Attributes:
        details: After ``compute_metrics``, the number of ``pictures`` and ``boxes``,
            and under ``classes`` for each its ``name``, ``boxes``, ``AP``, ``AP50``
            and ``AP75``, NaN where there is nothing to find.

    Raises:
        ConfigError: An argument has no meaning here.
        DatasetError: There is no such annotation file.
    """

    default_prefix = 'coco'
    _MEASURES: tuple[str, ...] = ('bbox', 'proposal', 'proposal_fast')
    _federated = False
    _result_prefix = 'bbox_'

    def __init__(
        self,
        ann_file: str | os.PathLike[str] | None = None,
        metric: str | Sequence[str] = 'bbox',
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: Sequence[str] | None = None,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        file_client_args: None = None,
        backend_args: Mapping[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        sort_categories: bool = False,
        use_mp_eval: bool = False,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.metrics = self._measured(metric)
        if file_client_args is not None:
            raise ConfigError('file_client_args is backend_args now, as in mmdet')
        if format_only and not outfile_prefix:
            raise ConfigError('format_only=True needs outfile_prefix, where to write')
        self.iou_thrs = IOU_THRESHOLDS if iou_thrs is None else iou_thrs
        _check_thresholds(self._thresholds)
        by_coco = set(self.metrics) - {'proposal_fast'}
        if by_coco and (len(proposal_nums) != 3 or 100 not in proposal_nums):
            raise ConfigError(
                f'proposal_nums must be three numbers, 100 among them, not '
                f'{tuple(proposal_nums)}'
            )
        self._limits = self.proposal_nums = sorted(proposal_nums)
        self._items = result_items('mAP', '_', self._limits, ap_limit=100)
        self.metric_items = self._choose(metric_items)
        self.ann_file = None if ann_file is None else os.fspath(ann_file)
        if self.ann_file and not backend_args and '://' not in self.ann_file:
            # Asked here, as the metric itself comes after an epoch of training.
            check_annotation_file(self.ann_file)
        self._file: CocoFile | None = None
        self.details: dict[str, Any] = {}
        self.classwise = classwise
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self.backend_args = backend_args

    @property
    def _thresholds(self) -> np.ndarray:
        return np.atleast_1d(np.asarray(self.iou_thrs))

    def _measured(self, metric: str | Sequence[str]) -> list[str]:
        """Which of the measures are asked for."""
        wanted = [metric] if isinstance(metric, str) else list(metric)
        if unknown := [name for name in wanted if name not in self._MEASURES]:
            raise ConfigError(
                f'{type(self).__name__} measures {", ".join(self._MEASURES)}, not '
                f"{unknown[0]!r}; type='mmdet.{type(self).__name__}' measures masks"
            )
        return wanted

    def _choose(self, metric_items: Sequence[str] | None) -> tuple[str, ...] | None:
        """The results that are asked for, all of which exist; None for the usual."""
        unknown = set(metric_items or ()) - set(self._items)
        if unknown:
            raise ConfigError(
                f'metric_items {sorted(unknown)} are unknown; there are '
                f'{list(self._items)}'
            )
        return tuple(metric_items) if metric_items else None

    def check_pictures(self, image_ids: Sequence[Any]) -> None:
        """Make sure that pictures and classes are those of the annotation file.

        Args:
            image_ids: Of the data set, whose ``dataset_meta`` the metric has.

        Raises:
            DatasetError: They are not, or a picture comes twice.
        """
        if self.ann_file is not None:
            check_ids(image_ids, self._read())

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of one batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id`` and ``pred_instances``: ``bboxes`` (N, 4) in
                original pixels (x1, y1, x2, y2), ``scores`` (N,), ``labels`` (N,).

        Raises:
            DatasetError: Without ``ann_file``, samples come without annotations.
        """
        for sample in data_samples:
            truth = truth_of(sample) if self.ann_file is None else {}
            self.results.append(compact(sample) | truth)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate all detections.

        Returns:
            ``bbox_mAP`` and so on, 0 to 1, and of proposals ``AR@100`` and so on; -1
            where the file has no box to find. Empty with ``format_only``.

        Raises:
            DatasetError: Classes or pictures are not those of the annotation file.
        """
        coco = self._truth(results)
        check_results(results, coco)
        if self.outfile_prefix:
            write_results(f'{self.outfile_prefix}.bbox.json', as_coco(results, coco))
        values: dict[str, float] = {}
        if self.format_only:
            return values
        for measure in self.metrics:
            if measure == 'bbox':
                values |= self._boxes(coco, results)
            elif measure == 'proposal':
                values |= self._proposals(coco, results)
            else:
                values |= self._fast_proposals(coco, results)
        return values

    def _boxes(
        self, coco: CocoFile, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        coco, items = self._judged(coco), self._items_of(coco)
        evaluation = box_ap(
            coco,
            self._limited(DetectionRows.of(results)),
            limits=self._limits,
            thresholds=self._thresholds,
            federated=self._federated,
        )
        usual = [name for name in items if not name.startswith('AR')]
        wanted = self.metric_items or usual
        logged = wanted if self._federated else items
        log_table(coco.path, {name: items[name](evaluation) for name in logged})
        values = {
            f'{self._result_prefix}{name}': items[name](evaluation) for name in wanted
        }
        return values | self._by_class(evaluation, coco, results)

    def _items_of(self, coco: CocoFile) -> dict[str, Item]:
        """Name of a result -> how to read it."""
        return self._items

    def _judged(self, coco: CocoFile) -> CocoFile:
        """The annotations that the rules look at."""
        return coco

    def _limited(self, detections: DetectionRows) -> DetectionRows:
        """The detections that the rules look at."""
        return detections

    def _proposals(
        self, coco: CocoFile, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        evaluation = class_agnostic_ap(
            coco,
            DetectionRows.of(results),
            limits=self.proposal_nums,
            thresholds=self._thresholds,
        )
        usual = [name for name in self._items if name.startswith('AR')]
        items = self.metric_items or usual
        values = {item: self._items[item](evaluation) for item in items}
        log_table(coco.path, values)
        return values

    def _fast_proposals(
        self, coco: CocoFile, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        limits = self.proposal_nums
        recalls = fast_recall(coco, results, limits=limits, thresholds=self._thresholds)
        values = {f'AR@{n}': recall for n, recall in zip(limits, recalls, strict=True)}
        log_table(coco.path, values)
        return values

    def _by_class(
        self, evaluation: BoxAP, coco: CocoFile, results: Sequence[Mapping[str, Any]]
    ) -> dict[str, float]:
        """Keep the details, and with ``classwise`` log them and return results."""
        rows = class_rows(evaluation, coco, [r['img_id'] for r in results])
        self.details = {
            'pictures': len(results),
            'boxes': sum(row['boxes'] for row in rows),
            'classes': rows,
        }
        return by_class(rows) if self.classwise else {}

    def _truth(self, results: Sequence[Mapping[str, Any]]) -> CocoFile:
        """The annotations of the file, or else of the samples."""
        if self.ann_file is not None:
            return self._read()
        return coco_of(results, (self.dataset_meta or {}).get('classes', ()))

    def _read(self) -> CocoFile:
        """The annotations, with the classes of the data set, read once."""
        assert self.ann_file is not None
        meta = self.dataset_meta or {}
        classes = meta.get('classes')
        if self._file is None or (classes and tuple(classes) != self._file.names):
            self._file = read_coco(
                self.ann_file,
                classes,
                category_names=meta.get('category_names'),
                need_annotations=not self.format_only,
                backend_args=self.backend_args,
            )
        return self._file


def log_table(title: str, values: Mapping[str, float]) -> None:
    """Write results into the log."""
    rows = [['result', 'value'], *([n, f'{value:.4f}'] for n, value in values.items())]
    MMLogger.get_current_instance().info(f'{title}\n{AsciiTable(rows).table}')


def _check_thresholds(thresholds: np.ndarray) -> None:
    numbers = thresholds.dtype.kind in 'fi' and thresholds.ndim == 1 and thresholds.size
    if not numbers or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ConfigError(
            f'iou_thrs={thresholds.tolist()} must be numbers above 0 and up to 1'
        )


def result_items(
    ap: str, joint: str, limits: Sequence[int], ap_limit: int | None = None
) -> dict[str, Item]:
    """Name of a result -> how to read it.

    Args:
        ap: What average precision is called.
        joint: Between it and what it is of.
        limits: Of detections per picture; areas are given at the last.
        ap_limit: The one that AP itself is at, by default the last.
    """
    areas = {area[0]: area for area in ('small', 'medium', 'large')}
    return {
        ap: partial(BoxAP.ap, limit=ap_limit),
        f'{ap}{joint}50': partial(BoxAP.ap, iou=0.5),
        f'{ap}{joint}75': partial(BoxAP.ap, iou=0.75),
        **{f'{ap}{joint}{k}': partial(BoxAP.ap, area=v) for k, v in areas.items()},
        **{f'AR@{limit}': partial(BoxAP.ar, limit=limit) for limit in limits},
        **{
            f'AR{joint}{k}@{limits[-1]}': partial(BoxAP.ar, area=v)
            for k, v in areas.items()
        },
    }


def check_annotation_file(path: str) -> None:
    """Make sure that a file is there.

    Raises:
        DatasetError: It is not.
    """
    if not os.path.isfile(path):
        raise DatasetError(
            f'annotation file of the evaluator not found: {os.path.abspath(path)}'
        )


def check_ids(image_ids: Iterable[Any], coco: CocoFile) -> None:
    """Make sure that evaluated pictures are those of the annotation file.

    Raises:
        DatasetError: One is not, or comes twice.
    """
    seen = set()
    for image_id in image_ids:
        if image_id not in coco.boxes:
            raise DatasetError(
                f'the evaluated picture {image_id} is not in {coco.path}: the '
                "metric's ann_file must be that of the data set"
            )
        if image_id in seen:
            raise DatasetError(f'{coco.path}: picture {image_id} is evaluated twice')
        seen.add(image_id)


def check_results(results: Sequence[Mapping[str, Any]], coco: CocoFile) -> None:
    """Make sure that pictures and labels are those of the annotation file.

    Raises:
        DatasetError: One is not, or a picture comes twice.
    """
    check_ids([result['img_id'] for result in results], coco)
    check_labels(results, len(coco.names), coco.path)


def class_rows(
    evaluation: BoxAP, coco: CocoFile, image_ids: Sequence[Any]
) -> list[dict[str, Any]]:
    """Of each class ``name``, ``boxes``, ``AP``, ``AP50`` and ``AP75``."""
    counts = np.zeros(len(coco.names), dtype=int)
    for image_id in image_ids:
        for box in coco.boxes[image_id]:
            counts[coco.labels[box['category_id']]] += 1
    columns = [evaluation.by_class(iou=iou).tolist() for iou in (None, 0.5, 0.75)]
    return [
        {'name': name, 'boxes': boxes, 'AP': ap, 'AP50': ap50, 'AP75': ap75}
        for name, boxes, ap, ap50, ap75 in zip(coco.names, counts.tolist(), *columns)
    ]


def by_class(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Log a table of AP by class and return it as ``<name>_precision``."""
    table = [['class', 'boxes', 'AP', 'AP50', 'AP75']]
    for row in rows:
        values = [f'{row[key]:.3f}' for key in ('AP', 'AP50', 'AP75')]
        table.append([row['name'], str(row['boxes']), *values])
    MMLogger.get_current_instance().info('\n' + AsciiTable(table).table)
    return {f'{row["name"]}_precision': row['AP'] for row in rows}
