"""COCO's JSON: pictures, boxes and categories in one object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glip.formats.boxes import PictureBoxes, class_list, file_name, shortest


def to_coco(
    pictures: Sequence[PictureBoxes], classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """Build a COCO object, which pycocotools reads and ``glip train`` trains on.

    Args:
        pictures: Numbered from 1 in their order.
        classes: Names of categories 1, 2, ...; by default all that were asked for.

    Returns:
        ``images``, ``annotations`` with a ``score`` each, and ``categories``. Frames of
        videos have ``video``, ``frame`` and ``time`` beside their file name.
    """
    names = class_list(pictures) if classes is None else list(classes)
    category_ids = {name: number for number, name in enumerate(names, 1)}
    images, annotations = [], []
    for image_id, picture in enumerate(pictures, 1):
        images.append(_image(picture, image_id))
        for box, score, name in zip(
            picture.boxes, picture.scores, picture.names, strict=True
        ):
            x1, y1, x2, y2 = (float(value) for value in box)
            width, height = x2 - x1, y2 - y1
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image_id,
                    'category_id': category_ids[name],
                    'bbox': [round(value, 3) for value in (x1, y1, width, height)],
                    'area': round(width * height, 3),
                    'iscrowd': 0,
                    'score': shortest(score),
                }
            )
    categories = [
        {'id': number, 'name': name, 'supercategory': ''}
        for name, number in category_ids.items()
    ]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def _image(picture: PictureBoxes, image_id: int) -> dict[str, Any]:
    width, height = picture.size
    image = {
        'id': image_id,
        'file_name': file_name(picture, image_id),
        'width': width,
        'height': height,
    }
    if picture.frame is not None:
        image.update(video=picture.image, frame=picture.frame, time=picture.time)
    return image
