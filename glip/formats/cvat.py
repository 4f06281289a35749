"""CVAT's own XML, version 1.1 for images: all pictures in one document."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from glip.formats.boxes import PictureBoxes, class_list, file_name
from glip.formats.xml_text import add_text, document, xml_safe


def to_cvat(
    pictures: Sequence[PictureBoxes], classes: Sequence[str] | None = None
) -> str:
    """Write what CVAT imports as "CVAT for images 1.1".

    Args:
        pictures: In the order of the task.
        classes: Labels of the task; by default all that were asked for.
    """
    names = class_list(pictures) if classes is None else list(classes)
    root = ElementTree.Element('annotations')
    add_text(root, 'version', '1.1')
    task = ElementTree.SubElement(ElementTree.SubElement(root, 'meta'), 'task')
    add_text(task, 'size', str(len(pictures)))
    labels = ElementTree.SubElement(task, 'labels')
    for name in names:
        label = ElementTree.SubElement(labels, 'label')
        add_text(label, 'name', name)
        add_text(label, 'type', 'rectangle')
        ElementTree.SubElement(label, 'attributes')
    for number, picture in enumerate(pictures):
        width, height = picture.size
        image = ElementTree.SubElement(
            root,
            'image',
            id=str(number),
            name=xml_safe(file_name(picture, number + 1)),
            width=str(width),
            height=str(height),
        )
        for box, name in zip(picture.boxes, picture.names, strict=True):
            corners = zip(('xtl', 'ytl', 'xbr', 'ybr'), box, strict=True)
            ElementTree.SubElement(
                image,
                'box',
                label=xml_safe(name),
                source='auto',
                occluded='0',
                z_order='0',
                **{side: f'{float(value):.2f}' for side, value in corners},
            )
    return document(root)
