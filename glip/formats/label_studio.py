"""Label Studio's tasks with predictions, and the labels a project needs for them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from glip.formats.boxes import PictureBoxes, file_name, shortest
from glip.formats.xml_text import xml_safe

_FROM, _TO = 'label', 'image'


def to_label_studio(
    pictures: Sequence[PictureBoxes],
    *,
    prefix: str = '/data/local-files/?d=',
    model_version: str = 'glip',
) -> list[dict[str, Any]]:
    """Build tasks, each with the boxes of one picture as a prediction.

    Args:
        pictures: Those behind an address keep it.
        prefix: What Label Studio serves local files under; the name of the file
            follows.
        model_version: Shown beside the predictions.

    Returns:
        What the Import button takes as JSON.
    """
    return [
        _task(picture, number, prefix, model_version)
        for number, picture in enumerate(pictures, 1)
    ]


def label_config(classes: Sequence[str]) -> str:
    """The labelling interface that the tasks belong to, as XML."""
    view = ElementTree.Element('View')
    ElementTree.SubElement(view, 'Image', name=_TO, value='$image')
    labels = ElementTree.SubElement(view, 'RectangleLabels', name=_FROM, toName=_TO)
    for name in classes:
        ElementTree.SubElement(labels, 'Label', value=xml_safe(name))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding='unicode') + '\n'


def _task(
    picture: PictureBoxes, number: int, prefix: str, model_version: str
) -> dict[str, Any]:
    image = picture.image
    if image is None or '://' not in image or picture.frame is not None:
        image = prefix + file_name(picture, number)
    return {
        'data': {'image': image},
        'predictions': [prediction(picture, image, model_version=model_version)],
    }


def prediction(
    picture: PictureBoxes,
    image: str,
    *,
    model_version: str,
    from_name: str = _FROM,
    to_name: str = _TO,
) -> dict[str, Any]:
    """Build the prediction of a task.

    Args:
        picture: Its boxes.
        image: What the task calls the picture; the ids of the boxes depend on it.
        model_version: Shown beside the prediction.
        from_name: Name of the labelling interface's ``RectangleLabels``.
        to_name: Name of its ``Image``.
    """
    width, height = picture.size
    result = []
    for position, (box, score, name) in enumerate(
        zip(picture.boxes, picture.scores, picture.names, strict=True)
    ):
        x1, y1, x2, y2 = (float(value) for value in box)
        key = f'{image}:{position}'.encode('utf-8', 'surrogatepass')
        result.append(
            {
                'id': hashlib.sha256(key).hexdigest()[:10],
                'type': 'rectanglelabels',
                'from_name': from_name,
                'to_name': to_name,
                'original_width': width,
                'original_height': height,
                'image_rotation': 0,
                'score': shortest(score),
                'value': {
                    'x': 100 * x1 / width,
                    'y': 100 * y1 / height,
                    'width': 100 * (x2 - x1) / width,
                    'height': 100 * (y2 - y1) / height,
                    'rotation': 0,
                    'rectanglelabels': [name],
                },
            }
        )
    best = max((shortest(score) for score in picture.scores), default=0.0)
    return {'model_version': model_version, 'score': best, 'result': result}
