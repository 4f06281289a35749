"""Ground truth that comes with the samples, where a metric has no annotation file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile
from glip.errors import DatasetError

_FIELDS = ('gt_bboxes', 'gt_labels', 'gt_ignored')


def truth_of(sample: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The annotations of one data sample, as what a metric keeps of it.

    Args:
        sample: With ``instances``: ``bbox`` (x1, y1, x2, y2 in original pixels),
            ``bbox_label`` and ``ignore_flag`` each.

    Returns:
        ``gt_bboxes`` (N, 4), ``gt_labels`` (N,) and ``gt_ignored`` (N,).

    Raises:
        DatasetError: The sample has none.
    """
    instances = sample.get('instances')
    if instances is None:
        raise DatasetError(
            'the samples of the evaluation come without annotations: set ann_file of '
            "the metric, or add 'instances' to the meta_keys of PackDetInputs"
        )
    boxes = np.array([one['bbox'] for one in instances], np.float64).reshape(-1, 4)
    labels = np.array([one['bbox_label'] for one in instances], np.int64)
    ignored = np.array([one.get('ignore_flag', 0) for one in instances], np.int64)
    return dict(zip(_FIELDS, (boxes, labels, ignored), strict=True))


def coco_of(results: Sequence[Mapping[str, Any]], names: Sequence[str]) -> CocoFile:
    """What an annotation file of these pictures would say.

    Args:
        results: ``img_id`` and what :func:`truth_of` gives.
        names: Classes, which labels index.
    """
    boxes: dict[Any, tuple[dict[str, Any], ...]] = {}
    for result in results:
        corners, labels, ignored = (result[field].tolist() for field in _FIELDS)
        boxes[result['img_id']] = tuple(
            {
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'area': (x2 - x1) * (y2 - y1),
                'iscrowd': int(crowd),
                'category_id': label,
            }
            for (x1, y1, x2, y2), label, crowd in zip(corners, labels, ignored)
        )
    return CocoFile(
        path='the annotations of the samples',
        names=tuple(names),
        category_ids=tuple(range(len(names))),
        labels={label: label for label in range(len(names))},
        images=tuple({'id': image_id} for image_id in boxes),
        boxes=boxes,
    )
