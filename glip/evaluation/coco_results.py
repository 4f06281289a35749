"""Detections in COCO's result format."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile
from glip.runtime.atomic import atomic_write


def write_results(
    path: str | os.PathLike[str], results: Sequence[Mapping[str, Any]], coco: CocoFile
) -> None:
    """Write detections with the names of their classes, entry by entry.

    The file appears when it is whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part, part.open('w', encoding='utf-8') as file:
        for number, detection in enumerate(_as_coco(results, coco)):
            file.write(('[\n' if number == 0 else ',\n') + json.dumps(detection))
        file.write('\n]\n' if file.tell() else '[]\n')


def _as_coco(
    results: Sequence[Mapping[str, Any]], coco: CocoFile
) -> Iterator[dict[str, Any]]:
    for result in results:
        boxes = np.asarray(result['bboxes'], dtype=np.float64).copy()
        boxes[:, 2:] -= boxes[:, :2]
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
