"""Which pictures a few-shot training sees: the original's rule."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glip.datasets.coco_file import CocoFile
from glip.errors import DatasetError
from glip.runtime.writing import write_json, write_text

_KEYS = ('id', 'image_id', 'category_id', 'bbox', 'area', 'iscrowd')


@dataclass(frozen=True)
class Draw:
    """Pictures drawn from an annotation file.

    Attributes:
        images: Their records, in the order they were drawn in.
        pictures: Class -> how many of them show it.
        short: Of the classes that the file shows in fewer pictures than were asked
            for, in how many.
    """

    images: tuple[Mapping[str, Any], ...]
    pictures: Mapping[str, int]
    short: Mapping[str, int]


def draw_shots(coco: CocoFile, shots: int, seed: int, *, min_size: int = 0) -> Draw:
    """Draw pictures until each class is in ``shots`` of them.

    Pictures with boxes are shuffled, then gone through once: one is taken if it shows a
    class that is in fewer than ``shots`` of those taken so far (microsoft/GLIP,
    ``few_shot`` of its COCO data set).

    Args:
        coco: The annotations.
        shots: Pictures of each class.
        seed: Of the shuffling; 0 keeps the order of the ids, as in the original.
        min_size: Pictures with a shorter side than this, in pixels, are left out, as
            training leaves them out.

    Raises:
        DatasetError: No picture can be drawn.
    """
    classes = {
        image['id']: names
        for image in sorted(coco.images, key=_by_id)
        if min(image['width'], image['height']) >= min_size
        and (names := _classes_in(coco, image['id']))
    }
    if not classes:
        raise DatasetError(
            f'{coco.path}: none of its {len(coco.images)} pictures has a box to learn '
            'from'
        )
    order = list(classes)
    if seed:
        random.Random(seed).shuffle(order)
    wanted = dict.fromkeys(coco.names, shots)
    drawn = []
    for image_id in order:
        if any(wanted[name] > 0 for name in classes[image_id]):
            drawn.append(image_id)
            for name in classes[image_id]:
                wanted[name] -= 1
    available = Counter(name for names in classes.values() for name in names)
    records = {image['id']: image for image in coco.images}
    return Draw(
        images=tuple(records[image_id] for image_id in drawn),
        pictures={name: shots - wanted[name] for name in coco.names},
        short={n: available[n] for n in coco.names if available[n] < shots},
    )


def write_draw(
    path: str | os.PathLike[str], coco: CocoFile, images: Sequence[Mapping[str, Any]]
) -> None:
    """Write drawn pictures as an annotation file, and their names beside it.

    Args:
        path: The annotation file, ``.json``; the names go into a ``.txt``.
        coco: What they were drawn from.
        images: Records of the pictures.

    Raises:
        ConfigError: The files cannot be written.
    """
    content = {
        'images': list(images),
        'annotations': [
            {'id': number, **{key: box[key] for key in _KEYS if key != 'id'}}
            for number, box in enumerate(
                (box for image in images for box in coco.boxes[image['id']]), start=1
            )
        ],
        'categories': [
            {'id': category_id, 'name': coco.names[label]}
            for category_id, label in coco.labels.items()
        ],
    }
    names = ''.join(f'{image["file_name"]}\n' for image in images)
    write_text(Path(path).with_suffix('.txt'), names)
    write_json(path, content)


def _classes_in(coco: CocoFile, image_id: Any) -> set[str]:
    """Classes of the boxes that training learns from."""
    return {
        coco.names[coco.labels[box['category_id']]]
        for box in coco.boxes[image_id]
        if not box['iscrowd'] and not box.get('ignore') and min(box['bbox'][2:]) > 1
    }


def _by_id(image: Mapping[str, Any]) -> tuple[bool, Any]:
    """Ids may be numbers or strings."""
    return isinstance(image['id'], str), image['id']


def count_boxed(coco: CocoFile, images: Iterable[Mapping[str, Any]]) -> int:
    """How many pictures show something to learn from."""
    return sum(bool(_classes_in(coco, image['id'])) for image in images)


def shortage(name: str, count: int) -> str:
    """Note that a class is in fewer pictures than were asked for."""
    return f'only {count} picture{" shows" if count == 1 else "s show"} {name}'
