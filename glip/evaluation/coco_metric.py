"""COCO average precision, with ids and names that cannot be mixed up."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.fileio import dump
from mmengine.logging import MMLogger
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from terminaltables import AsciiTable

from glip.datasets.coco_file import CocoFile, read_coco
from glip.errors import ConfigError, DatasetError
from glip.registry import METRICS

_AP_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


@METRICS.register_module()
class CocoMetric(BaseMetric):
    """Box AP as COCO defines it, for any COCO-format file.

    Arguments and result names are those of mmdet's metric. Differences: labels are
    paired with categories by name in the data set's own order, whatever ids or order
    the file has; annotations are numbered anew (pycocotools never counts a hit on id
    0); only the pictures that were shown are evaluated, so a subset may be.

    Args:
        ann_file: The annotation file of the data set.
        metric: ``'bbox'``.
        classwise: Give AP, AP50 and AP75 of each class, as table and as results
            ``<name>_precision``.
        proposal_nums: Three numbers of detections per picture to take AR at, 100
            among them, which AP is taken at.
        iou_thrs: IoU thresholds; by default 0.5 to 0.95 by 0.05.
        metric_items: Which results; by default mAP, mAP_50, mAP_75, mAP_s, mAP_m,
            mAP_l. Also there: AR@<n> for each of ``proposal_nums``, AR_s, AR_m and
            AR_l for the last of them.
        format_only: Write the detections, do not evaluate.
        outfile_prefix: Write detections as ``<prefix>.bbox.json`` with class names.
        backend_args: mmengine's file backend for ``ann_file``.
        collect_device: Where results of several processes are gathered.
        prefix: Goes before the names of the results.

    Raises:
        ConfigError: An argument has no meaning here.
        DatasetError: There is no such annotation file.
    """

    default_prefix = 'coco'

    def __init__(
        self,
        ann_file: str | os.PathLike[str],
        metric: str | Sequence[str] = 'bbox',
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: Sequence[str] | None = None,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        backend_args: Mapping[str, Any] | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        wanted = [metric] if isinstance(metric, str) else list(metric)
        if wanted != ['bbox']:
            raise ConfigError(f"CocoMetric measures 'bbox' only, not {wanted}")
        if format_only and not outfile_prefix:
            raise ConfigError('format_only=True needs outfile_prefix, where to write')
        if len(proposal_nums) != 3 or 100 not in proposal_nums:
            raise ConfigError(
                f'proposal_nums must be three numbers, 100 among them, not '
                f'{tuple(proposal_nums)}'
            )
        self._places = _places(proposal_nums)
        unknown = set(metric_items or ()) - set(self._places)
        if unknown:
            raise ConfigError(
                f'metric_items {sorted(unknown)} are unknown; there are '
                f'{list(self._places)}'
            )
        self.ann_file = os.fspath(ann_file)
        if not backend_args and '://' not in self.ann_file:
            # Asked here, as the metric itself comes after an epoch of training.
            if not os.path.isfile(self.ann_file):
                raise DatasetError(
                    'annotation file of the evaluator not found: '
                    f'{os.path.abspath(self.ann_file)}'
                )
        self._file: CocoFile | None = None
        self.classwise = classwise
        self.proposal_nums = sorted(proposal_nums)
        self.iou_thrs = None if iou_thrs is None else np.atleast_1d(iou_thrs)
        self.metric_items = tuple(metric_items or _AP_ITEMS)
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self.backend_args = backend_args

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the detections of one batch.

        Args:
            data_batch: Not used.
            data_samples: With ``img_id`` and ``pred_instances``: ``bboxes`` (N, 4) in
                original pixels (x1, y1, x2, y2), ``scores`` (N,), ``labels`` (N,).
        """
        for sample in data_samples:
            found = sample['pred_instances']
            self.results.append(
                {
                    'img_id': sample['img_id'],
                    'bboxes': np.asarray(found['bboxes'].cpu(), dtype=np.float64),
                    'scores': np.asarray(found['scores'].cpu(), dtype=np.float64),
                    'labels': np.asarray(found['labels'].cpu(), dtype=np.int64),
                }
            )

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Evaluate all detections.

        Returns:
            ``bbox_mAP`` and so on, 0 to 1, rounded to 3 digits; -1 where the file has
            no box to find. Empty with ``format_only``.

        Raises:
            DatasetError: Classes or pictures are not those of the annotation file.
        """
        coco = self._read()
        detections = _as_coco(results, coco)
        if self.outfile_prefix:
            path = Path(f'{self.outfile_prefix}.bbox.json')
            path.parent.mkdir(parents=True, exist_ok=True)
            names = dict(zip(coco.category_ids, coco.names))
            named = [dict(d, name=names[d['category_id']]) for d in detections]
            dump(named, path)
        if self.format_only:
            return {}
        evaluation = self._evaluate(coco, detections, [r['img_id'] for r in results])
        values = {
            f'bbox_{item}': round(float(evaluation.stats[self._places[item]]), 3)
            for item in self.metric_items
        }
        if self.classwise:
            values |= _by_class(evaluation, coco)
        return values

    def _read(self) -> CocoFile:
        """The annotations, with the classes of the data set, read once."""
        classes = (self.dataset_meta or {}).get('classes')
        if self._file is None or (classes and tuple(classes) != self._file.names):
            self._file = read_coco(
                self.ann_file,
                classes,
                need_annotations=not self.format_only,
                backend_args=self.backend_args,
            )
        return self._file

    def _evaluate(
        self, coco: CocoFile, detections: list[dict[str, Any]], image_ids: list[Any]
    ) -> COCOeval:
        """Run pycocotools without its printing."""
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO()
            truth.dataset = _ground_truth(coco)
            truth.createIndex()
            found = truth.loadRes(detections) if detections else _nothing(truth)
            evaluation = COCOeval(truth, found, 'bbox')
            evaluation.params.catIds = list(coco.category_ids)
            evaluation.params.imgIds = image_ids
            evaluation.params.maxDets = self.proposal_nums
            if self.iou_thrs is not None:
                evaluation.params.iouThrs = self.iou_thrs
            evaluation.evaluate()
            evaluation.accumulate()
        with contextlib.redirect_stdout(io.StringIO()) as summary:
            evaluation.summarize()
        MMLogger.get_current_instance().info(f'{coco.path}\n{summary.getvalue()}')
        return evaluation


def _places(proposal_nums: Sequence[int]) -> dict[str, int]:
    """Name of a result -> its place in pycocotools' ``stats``."""
    limits = sorted(proposal_nums)
    recalls = [f'AR@{limit}' for limit in limits]
    recalls += [f'AR_{size}@{limits[-1]}' for size in 'sml']
    return {name: place for place, name in enumerate((*_AP_ITEMS, *recalls))}


def _as_coco(results: list[dict[str, Any]], coco: CocoFile) -> list[dict[str, Any]]:
    """Detections in COCO's result format.

    Raises:
        DatasetError: A picture or a label is not one of the file.
    """
    known = set(coco.boxes)
    detections = []
    for result in results:
        if result['img_id'] not in known:
            raise DatasetError(
                f'the evaluated picture {result["img_id"]} is not in {coco.path}: the '
                "metric's ann_file must be that of the data set"
            )
        labels = result['labels']
        if labels.size and not 0 <= labels.min() <= labels.max() < len(coco.names):
            raise DatasetError(
                f'label {labels.max()} has no class: {coco.path} is evaluated with '
                f'{len(coco.names)}'
            )
        sizes = result['bboxes'][:, 2:] - result['bboxes'][:, :2]
        boxes = np.concatenate([result['bboxes'][:, :2], sizes], axis=1)
        for box, score, label in zip(boxes.tolist(), result['scores'], labels):
            detections.append(
                {
                    'image_id': result['img_id'],
                    'bbox': box,
                    'score': float(score),
                    'category_id': coco.category_ids[label],
                }
            )
    return detections


def _ground_truth(coco: CocoFile) -> dict[str, Any]:
    """The file's boxes as pycocotools wants them, numbered from 1."""
    annotations = []
    for image_id, boxes in coco.boxes.items():
        for box in boxes:
            label = coco.labels[box['category_id']]
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image_id,
                    'category_id': coco.category_ids[label],
                    'bbox': box['bbox'],
                    'area': box['area'],
                    'iscrowd': box['iscrowd'],
                }
            )
    categories = [
        {'id': i, 'name': name} for i, name in zip(coco.category_ids, coco.names)
    ]
    return {
        'info': {},
        'images': [dict(image) for image in coco.images],
        'categories': categories,
        'annotations': annotations,
    }


def _nothing(truth: COCO) -> COCO:
    """Results without a detection, which ``loadRes`` does not take."""
    found = COCO()
    found.dataset = dict(truth.dataset, annotations=[])
    found.createIndex()
    return found


def _by_class(evaluation: COCOeval, coco: CocoFile) -> dict[str, float]:
    """Log a table of AP by class and return it."""
    # (thresholds, recalls, classes, areas, limits); classes sorted by id
    precision = evaluation.eval['precision'][:, :, :, 0, -1]
    order = {i: place for place, i in enumerate(sorted(set(coco.category_ids)))}
    thresholds = list(np.round(evaluation.params.iouThrs, 2))
    rows: list[list[str]] = [['class', 'boxes', 'AP', 'AP50', 'AP75']]
    values = {}
    counts = np.zeros(len(coco.names), dtype=int)
    for boxes in coco.boxes.values():
        for box in boxes:
            counts[coco.labels[box['category_id']]] += 1
    for label, name in enumerate(coco.names):
        own = precision[:, :, order[coco.category_ids[label]]]
        row = [_mean(own)]
        for threshold in (0.5, 0.75):
            at = thresholds.index(threshold) if threshold in thresholds else None
            row.append(float('nan') if at is None else _mean(own[at]))
        values[f'{name}_precision'] = round(row[0], 3)
        rows.append([name, str(counts[label]), *(f'{value:.3f}' for value in row)])
    MMLogger.get_current_instance().info('\n' + AsciiTable(rows).table)
    return values


def _mean(precision: np.ndarray) -> float:
    """Over what is defined; nan where the class has no box."""
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else float('nan')
