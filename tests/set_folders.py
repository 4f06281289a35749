"""Make folders of small data sets, each laid out in another of the usual ways."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import coco_folder

NAMES = {
    'ours': ('red', 'green', 'blue'),
    'coco': ('cat', 'dog', 'cow'),
    'roboflow': ('one', 'two', 'three'),
}


def content(names: tuple[str, ...], count: int) -> dict[str, Any]:
    """Annotations of ``count`` pictures with classes of these names."""
    data = coco_folder.content(num_images=count)
    for category, name in zip(data['categories'], names, strict=True):
        category['name'] = name
    return data


def write(folder: Path, count: int = 2) -> Path:
    """Three sets: ``ours``, ``coco`` and ``roboflow``; ``roboflow`` has a test split.

    Returns:
        The folder.
    """
    coco_folder.write(folder / 'ours' / 'valid', content(NAMES['ours'], count))
    file = coco_folder.write(
        folder / 'coco' / 'val2017', content(NAMES['coco'], count + 1)
    )
    home = folder / 'coco' / 'annotations'
    home.mkdir()
    file.rename(home / 'instances_val2017.json')
    (home / 'captions_val2017.json').write_text('{}')
    data = content(NAMES['roboflow'], count)
    # Roboflow lists what all classes belong to as one more.
    for category in data['categories']:
        category['supercategory'] = 'numbers'
    data['categories'].insert(0, {'id': 0, 'name': 'numbers', 'supercategory': 'none'})
    for split in ('valid', 'test'):
        home = folder / 'roboflow' / split
        file = coco_folder.write(home, data)
        file.rename(home / '_annotations.coco.json')
    (folder / 'notes').mkdir()
    (folder / '.hidden' / 'valid').mkdir(parents=True)
    (folder / '.hidden' / 'valid' / 'annotations.json').write_text('{}')
    return folder


def odinw(folder: Path, entries: list[Any]) -> None:
    """The sets of an ODinW config, two pictures each, where it looks for them."""
    for entry in entries:
        names = entry['classes']
        data = coco_folder.content(num_images=2)
        data['categories'] = [
            {'id': i + 1, 'name': name, 'supercategory': 'things'}
            for i, name in enumerate(names)
        ]
        for annotation in data['annotations']:
            annotation['category_id'] = annotation['id'] % len(names) + 1
        home = folder / entry['img']
        if not (home / 'annotations.json').exists():
            coco_folder.write(home, data).unlink()
        (folder / entry['ann_file']).write_text(json.dumps(data))
