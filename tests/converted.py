"""What converted files say, in a form that can be compared."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def lines(path: Path | str) -> list[dict[str, Any]]:
    """The records of a jsonl file."""
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def coco_boxes(path: Path | str) -> list[tuple[Any, ...]]:
    """Picture, class and corners of all boxes that are of no crowd, sorted."""
    content = json.loads(Path(path).read_text())
    names = {c['id']: c['name'] for c in content['categories']}
    files = {i['id']: i['file_name'] for i in content['images']}
    return sorted(
        (files[a['image_id']], a['image_id'], names[a['category_id']])
        + tuple(round(value, 5) for value in a['bbox'])
        for a in content['annotations']
        if not a.get('iscrowd')
    )


def mdetr_boxes(path: Path | str) -> set[tuple[Any, ...]]:
    """Picture, caption, spans, corners and score of all boxes."""
    content = json.loads(Path(path).read_text())
    images = {i['id']: i for i in content['images']}
    found = set()
    for a in content['annotations']:
        image = images[a['image_id']]
        x, y, w, h = a['bbox']
        spans = tuple(map(tuple, a['tokens_positive']))
        box = tuple(round(value, 5) for value in (x, y, x + w, y + h))
        head = (image['file_name'], image['caption'])
        found.add((*head, spans, box, a.get('score')))
    return found


def odvg_boxes(path: Path | str) -> set[tuple[Any, ...]]:
    """The same of grounding records."""
    return set(_grounded(lines(path)))


def _grounded(records: list[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    for record in records:
        caption = record['grounding']['caption']
        for region in record['grounding']['regions']:
            boxes = region['bbox']
            several = isinstance(boxes[0], list)
            scores = region.get('scores', region.get('score'))
            if not several:
                boxes, scores = [boxes], [scores]
            spans = tuple(map(tuple, region['tokens_positive']))
            for box, score in zip(boxes, scores or [None] * len(boxes), strict=True):
                box = tuple(round(value, 5) for value in box)
                yield record['filename'], caption, spans, box, score
