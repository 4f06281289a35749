"""Make small files of phrases and boxes, in every format that is read."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

CAPTION = 'A dog chases a dog past the red car'
REGIONS = [
    {'bbox': [1, 2, 11, 12], 'phrase': 'A dog', 'tokens_positive': [[0, 5]]},
    {'bbox': [20, 2, 31, 12], 'phrase': 'a dog', 'tokens_positive': [[13, 18]]},
    {
        'bbox': [[40, 20, 60, 40], [5, 30, 15, 40]],
        'phrase': ['red', 'car'],
        'tokens_positive': [[28, 31], [32, 35]],
    },
]
SPANS = [((0, 5),), ((13, 18),), ((28, 31), (32, 35))]
BOXES = [[(1, 2, 11, 12)], [(20, 2, 31, 12)], [(40, 20, 60, 40), (5, 30, 15, 40)]]


def grounding(*, caption: Any = CAPTION, regions: Any = REGIONS) -> dict[str, Any]:
    """A grounding record."""
    return {
        'filename': 'a.png',
        'height': 48,
        'width': 64,
        'grounding': {'caption': caption, 'regions': regions},
    }


def detection(*instances: tuple[Any, Any]) -> dict[str, Any]:
    """A detection record of (label, box) pairs."""
    made = [{'bbox': box, 'label': label} for label, box in instances]
    return {
        'filename': 'a.png',
        'height': 48,
        'width': 64,
        'detection': {'instances': made},
    }


def write_lines(folder: Path, records: Iterable[Mapping[str, Any] | str]) -> Path:
    """Write ``data.jsonl`` and the picture ``a.png``; strings are lines as they are."""
    picture(folder / 'a.png')
    path = folder / 'data.jsonl'
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text('\n'.join(lines) + '\n')
    return path


def mdetr(**changes: Any) -> dict[str, Any]:
    """The same caption and boxes as MDETR's layout has them."""
    annotations = [
        {
            'id': number,
            'image_id': 7,
            'bbox': [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            'tokens_positive': [list(span) for span in spans],
            'category_id': 1,
            'iscrowd': 0,
        }
        for number, (spans, box) in enumerate(
            (spans, box)
            for spans, boxes in zip(SPANS, BOXES, strict=True)
            for box in boxes
        )
    ]
    image = {'id': 7, 'file_name': 'a.png', 'width': 64, 'height': 48}
    return {
        'images': [image | {'caption': CAPTION}],
        'annotations': annotations,
        'categories': [{'id': 1, 'name': 'object'}],
    } | changes


def write_mdetr(folder: Path, content: Any) -> Path:
    """Write ``data.json`` and the picture ``a.png``."""
    picture(folder / 'a.png')
    path = folder / 'data.json'
    path.write_text(json.dumps(content))
    return path


def picture(path: Path, size: tuple[int, int] = (64, 48)) -> None:
    """A gray picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, (90, 90, 90)).save(path)
