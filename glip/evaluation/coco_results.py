"""Detections as they are kept of a picture, and in COCO's result format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile
from glip.evaluation.predictions import as_array
from glip.runtime.atomic import atomic_write


def as_coco(
    results: Sequence[Mapping[str, Any]], coco: CocoFile
) -> Iterator[dict[str, Any]]:
    """Detections in COCO's result format, with the names of their classes."""
    for result in results:
        corners = np.asarray(result['bboxes'], dtype=np.float64)
        boxes = np.concatenate(
            [corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1
        )
        for box, score, label in zip(
            boxes.tolist(), result['scores'].tolist(), result['labels'].tolist()
        ):
            yield {
                'image_id': result['img_id'],
                'bbox': box,
                'score': score,
                'category_id': coco.category_ids[label],
                'name': coco.names[label],
            }


def write_results(path: str | os.PathLike[str], detections: Iterable[Any]) -> None:
    """Write a JSON list entry by entry; the file appears when it is whole."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part, part.open('w', encoding='utf-8') as file:
        for number, detection in enumerate(detections):
            file.write(('[\n' if number == 0 else ',\n') + json.dumps(detection))
        file.write('\n]\n' if file.tell() else '[]\n')


def compact(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of one evaluated picture: plain arrays of its detections."""
    instances = sample['pred_instances']
    return {
        'img_id': sample['img_id'],
        'bboxes': as_array(instances['bboxes']).reshape(-1, 4),
        'scores': as_array(instances['scores']),
        'labels': as_array(instances['labels']),
    }
