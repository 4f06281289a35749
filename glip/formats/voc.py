"""PASCAL VOC's XML, one document per picture."""

from __future__ import annotations

from xml.etree import ElementTree

from glip.formats.boxes import PictureBoxes, file_name
from glip.formats.xml_text import add_text, document


def to_voc(picture: PictureBoxes, number: int = 1) -> str:
    """Write the boxes of a picture as VOC's XML.

    Corners are whole pixels, the first of a picture being 1, and boxes include their
    last pixel. Each object has its score beside the usual members.

    Args:
        picture: The boxes.
        number: Stands for the name of pictures that have none.
    """
    root = ElementTree.Element('annotation')
    add_text(root, 'filename', file_name(picture, number))
    size = ElementTree.SubElement(root, 'size')
    width, height = picture.size
    for tag, value in (('width', width), ('height', height), ('depth', 3)):
        add_text(size, tag, str(value))
    add_text(root, 'segmented', '0')
    for box, score, name in zip(
        picture.boxes, picture.scores, picture.names, strict=True
    ):
        entry = ElementTree.SubElement(root, 'object')
        add_text(entry, 'name', name)
        add_text(entry, 'pose', 'Unspecified')
        add_text(entry, 'truncated', '0')
        add_text(entry, 'difficult', '0')
        add_text(entry, 'score', f'{float(score):.4f}')
        corners = ElementTree.SubElement(entry, 'bndbox')
        x1, y1, x2, y2 = (float(value) for value in box)
        first_x, first_y = round(x1) + 1, round(y1) + 1
        for tag, value in (
            ('xmin', min(first_x, width)),
            ('ymin', min(first_y, height)),
            ('xmax', min(max(round(x2), first_x), width)),
            ('ymax', min(max(round(y2), first_y), height)),
        ):
            add_text(corners, tag, str(value))
    return document(root)
