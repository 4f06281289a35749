"""Small files of each layout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import coco_folder
import pytest


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    """A COCO-format file with pictures."""
    return coco_folder.write(tmp_path / 'coco')


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes a JSON file, or a jsonl file of a list of records."""

    def put(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith('.jsonl'):
            path.write_text(''.join(json.dumps(record) + '\n' for record in content))
        else:
            path.write_text(json.dumps(content))
        return path

    return put


@pytest.fixture
def mdetr() -> dict[str, Any]:
    """Two captions; in the first, equal words stand for different things."""
    caption = 'a man beside a man with two dogs'
    return {
        'images': [
            {'id': 7, 'file_name': '7.jpg', 'width': 100, 'height': 80}
            | {'caption': caption},
            {'id': 9, 'file_name': '7.jpg', 'width': 100, 'height': 80}
            | {'caption': 'nothing here'},
        ],
        'annotations': [
            _annotation(1, [1, 2, 10, 20], [[0, 5]]),
            _annotation(2, [30.5, 2, 10.25, 20], [[13, 18]]),
            _annotation(3, [50, 40, 9, 9], [[24, 32]], score=0.75),
            _annotation(4, [70, 40, 9, 9], [[24, 32]], score=0.5),
            _annotation(5, [5, 5, 9, 9], [[0, 5], [13, 18]]),
        ],
        'categories': [{'id': 1, 'name': 'object'}],
    }


def _annotation(
    number: int, bbox: list[float], spans: list[list[int]], **more: Any
) -> dict[str, Any]:
    return {
        'id': number,
        'image_id': 7,
        'bbox': bbox,
        'area': bbox[2] * bbox[3],
        'iscrowd': 0,
        'category_id': 1,
        'tokens_positive': spans,
        **more,
    }
