"""Average precision and recall of boxes, by COCO's and by LVIS's rules.

faster-coco-eval matches and accumulates; here it is fed a few classes at a time, and
only the pictures that matter to them, so that memory does not grow with pictures times
classes. Classes do not touch each other in either rule, so the numbers are the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from glip.datasets.coco_file import CocoFile
from glip.evaluation.detection_rows import DetectionRows, best_rows

AREAS = ('all', 'small', 'medium', 'large')
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_PAIRS = 1_000_000  # pictures times classes that are evaluated together


@dataclass(frozen=True)
class BoxAP:
    """What was reached, by class; -1 where a class has nothing to find.

    Attributes:
        precision: (thresholds, 101 recalls, judged classes, areas, limits).
        recall: (thresholds, judged classes, areas, limits).
        thresholds: Of IoU.
        limits: Of detections per picture and class, ascending.
        judged: Classes that have boxes, ascending; a vocabulary may list a million
            others.
        num_classes: All classes.
    """

    precision: np.ndarray
    recall: np.ndarray
    thresholds: np.ndarray
    limits: tuple[int, ...]
    judged: np.ndarray
    num_classes: int

    def ap(
        self,
        *,
        iou: float | None = None,
        area: str = 'all',
        limit: int | None = None,
        classes: Sequence[int] | None = None,
    ) -> float:
        """Mean precision over thresholds, recalls and classes, -1 for none."""
        values = self.precision[..., AREAS.index(area), self._limit_index(limit)]
        return _mean(values[self._rows(iou)][:, :, self._columns(classes)])

    def ar(
        self,
        *,
        area: str = 'all',
        limit: int | None = None,
        classes: Sequence[int] | None = None,
    ) -> float:
        """Mean of the highest recalls over thresholds and classes, -1 for none."""
        values = self.recall[..., AREAS.index(area), self._limit_index(limit)]
        return _mean(values[:, self._columns(classes)])

    def by_class(self, *, iou: float | None = None) -> np.ndarray:
        """AP of each class over thresholds and recalls, NaN where nothing is there."""
        values = self.precision[self._rows(iou), ..., AREAS.index('all'), -1]
        there = values > -1
        counts = there.sum(axis=(0, 1))
        sums = np.where(there, values, 0).sum(axis=(0, 1))
        values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return self.of_all_classes(values)

    def of_all_classes(self, values: np.ndarray) -> np.ndarray:
        """Values of the judged classes (J, ...) as those of all, NaN of the others."""
        everywhere = np.full((self.num_classes, *values.shape[1:]), np.nan)
        everywhere[self.judged] = values
        return everywhere

    def _columns(self, classes: Sequence[int] | None) -> np.ndarray:
        if classes is None:
            return np.ones(len(self.judged), dtype=bool)
        return np.isin(self.judged, list(classes))

    def _limit_index(self, limit: int | None) -> int:
        return -1 if limit is None else self.limits.index(limit)

    def _rows(self, iou: float | None) -> np.ndarray:
        if iou is None:
            return np.ones(len(self.thresholds), dtype=bool)
        return np.isclose(self.thresholds, iou)


def _mean(values: np.ndarray) -> float:
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def box_ap(
    coco: CocoFile,
    detections: DetectionRows,
    *,
    limits: Sequence[int] = (1, 10, 100),
    thresholds: np.ndarray = IOU_THRESHOLDS,
    federated: bool = False,
    classes: Sequence[int] | None = None,
) -> BoxAP:
    """Evaluate detections of the pictures in ``detections.ids``.

    Args:
        coco: Annotations.
        detections: Labels index the classes of ``coco``.
        limits: Of detections per picture and class.
        thresholds: Of IoU.
        federated: LVIS's rule: a class is judged only on pictures that have it or are
            known not to (``neg_category_ids``), and a wrong detection does not count
            where not all of its kind are annotated (``not_exhaustive_category_ids``).
        classes: Those to evaluate, by default all.
    """
    limits = tuple(sorted(limits))
    images = _Images(coco, detections.ids, federated)
    judged = np.array(sorted(images.boxes), dtype=np.int64)
    if classes is not None:
        judged = judged[np.isin(judged, list(classes))]
    shape = (len(thresholds), 101, len(judged), len(AREAS), len(limits))
    precision, recall = np.full(shape, -1.0), np.full((shape[0], *shape[2:]), -1.0)
    for labels, _, evaluation in _evaluations(images, detections, judged):
        columns = np.searchsorted(judged, labels)
        evaluation.params.maxDets = list(limits)
        evaluation.params.iouThrs = np.asarray(thresholds)
        evaluation.evaluate()
        evaluation.accumulate()
        precision[:, :, columns] = evaluation.eval['precision']
        recall[:, columns] = evaluation.eval['recall']
    return BoxAP(
        *(precision, recall, np.asarray(thresholds), limits),
        judged=judged,
        num_classes=len(coco.names),
    )


def box_hits(
    coco: CocoFile,
    detections: DetectionRows,
    *,
    iou: float = 0.5,
    limit: int = 100,
    federated: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Tell right detections from wrong ones, as the evaluator counts them.

    Args:
        coco: See :func:`box_ap`.
        detections: See there.
        iou: Threshold of a hit.
        limit: Detections per picture and class that count.
        federated: See there.

    Returns:
        Two masks (N,): detections that hit a box of their own, and those that count.
        Neither right nor wrong is what lies on a crowd, exceeds the limit, or is of a
        class that is not judged in its picture.
    """
    images = _Images(coco, detections.ids, federated)
    hits = np.zeros(len(detections.labels), dtype=bool)
    counted = np.zeros_like(hits)
    groups = detections.images * len(coco.names) + detections.labels
    counted[best_rows(groups, detections.scores, limit)] = True
    judged = np.array(sorted(images.boxes), dtype=np.int64)
    for _, rows, evaluation in _evaluations(images, detections, judged):
        evaluation.params.maxDets = [limit]
        evaluation.params.iouThrs = np.array([iou])
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.evaluate()
        evaluation.accumulate()
        for pair in evaluation.eval['matched']:
            detection, box = map(int, pair.split('_'))
            on_crowd = bool(evaluation.cocoGt.anns[box]['iscrowd'])
            hits[rows[detection - 1]] = not on_crowd
            counted[rows[detection - 1]] = not on_crowd
    if federated:
        counted &= [
            hit or images.is_judged(label, number)
            for hit, label, number in zip(
                hits.tolist(), detections.labels.tolist(), detections.images.tolist()
            )
        ]
    return hits & counted, counted


class _Images:
    """The truth, by class and picture; classes that have nothing are absent."""

    def __init__(self, coco: CocoFile, ids: Sequence[Any], federated: bool) -> None:
        self.federated = federated
        self.boxes: dict[int, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
        self.positive: dict[int, set[int]] = defaultdict(set)
        self.negative: dict[int, set[int]] = defaultdict(set)
        self.partial: dict[int, set[int]] = defaultdict(set)
        records = {image['id']: image for image in coco.images} if federated else {}
        for number, image_id in enumerate(ids):
            for box in coco.boxes[image_id]:
                label = coco.labels[box['category_id']]
                self.boxes[label].append((number, box))
                self.positive[label].add(number)
            image = records.get(image_id, {})
            for kind, target in (
                ('neg_category_ids', self.negative),
                ('not_exhaustive_category_ids', self.partial),
            ):
                for category in image.get(kind, ()):
                    if category in coco.labels:
                        target[coco.labels[category]].add(number)

    def dataset(self, labels: np.ndarray, numbers: Sequence[int]) -> dict[str, Any]:
        """The part of these classes in COCO's layout; ids count from 1."""
        annotations = []
        negative, partial = {p: [] for p in numbers}, {p: [] for p in numbers}
        for label in labels.tolist():
            for number, box in self.boxes[label]:
                annotations.append(
                    {
                        'id': len(annotations) + 1,
                        'image_id': number + 1,
                        'category_id': label + 1,
                        'bbox': box['bbox'],
                        'area': box['area'],
                        'iscrowd': 0 if self.federated else box['iscrowd'],
                    }
                )
            for number in self.negative[label]:
                negative[number].append(label + 1)
            for number in self.partial[label]:
                partial[number].append(label + 1)
        images = [
            {
                'id': number + 1,
                'neg_category_ids': negative[number],
                'not_exhaustive_category_ids': partial[number],
            }
            for number in numbers
        ]
        return {
            'info': {},
            'images': images,
            'annotations': annotations,
            'categories': [{'id': i + 1, 'frequency': 'f'} for i in labels.tolist()],
        }

    def numbers(self, labels: np.ndarray) -> set[int]:
        """Pictures on which one of the classes is judged whatever is found."""
        chosen = labels.tolist()
        return set().union(
            *(self.positive[label] for label in chosen),
            *(self.negative[label] | self.partial[label] for label in chosen),
        )

    def is_judged(self, label: int, number: int) -> bool:
        """Whether a detection that hits nothing is wrong, by LVIS's rule."""
        return number not in self.partial[label] and (
            number in self.negative[label] or number in self.positive[label]
        )


def _evaluations(
    images: _Images, detections: DetectionRows, judged: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, COCOeval_faster]]:
    """Classes, rows of their detections, and an evaluator that is ready to run."""
    size = max(1, _PAIRS // max(1, len(detections.ids)))
    for start in range(0, len(judged), size):
        labels = judged[start : start + size]
        rows = np.flatnonzero(np.isin(detections.labels, labels))
        numbers = images.numbers(labels)
        if not images.federated:
            numbers |= set(detections.images[rows].tolist())
        elif len(rows):
            rows = rows[np.isin(detections.images[rows], list(numbers))]
        truth = images.dataset(labels, sorted(numbers))
        evaluation = COCOeval_faster(
            _indexed(truth),
            _indexed(dict(truth, annotations=_annotations(detections.take(rows)))),
            'bbox',
            print_function=lambda *_: None,
            lvis_style=images.federated,
        )
        evaluation.params.catIds = (labels + 1).tolist()
        evaluation.params.imgIds = [number + 1 for number in sorted(numbers)]
        yield labels, rows, evaluation


def _indexed(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _annotations(detections: DetectionRows) -> list[dict[str, Any]]:
    """Detections in COCO's layout; ids count from 1."""
    rows = zip(*(column.tolist() for column in detections.columns), strict=True)
    return [
        {
            'id': detection,
            'image_id': number + 1,
            'category_id': label + 1,
            'bbox': box,
            'area': box[2] * box[3],
            'score': score,
            'iscrowd': 0,
        }
        for detection, (number, label, box, score) in enumerate(rows, start=1)
    ]
