"""The box of an annotation in COCO's layout: its own, or that of its outline."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pycocotools import mask as masks

_LONGEST_SIDE = 2**16  # pixels; the number of all of them fits 32 bits
_PACKED = re.compile('(?:[P-o]{0,6}[0-O])+')  # characters that go on, and one that ends


def usable_box(annotation: Mapping[str, Any]) -> list[float] | None:
    """(x, y, w, h) of positive size, or None.

    Tools that draw outlines may write no ``bbox``, or an empty one; then it is the box
    around the polygons or the mask of ``segmentation``.
    """
    box = _box(annotation.get('bbox'))
    if box is not None:
        return box
    outline = annotation.get('segmentation')
    return _of_mask(outline) if isinstance(outline, Mapping) else _around(outline)


def is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Whether a box stands for several things, also where a table wrote it as text."""
    value = annotation.get('iscrowd')
    if isinstance(value, str):
        return value.strip().lower() in ('1', '1.0', 'true', 'yes')
    return isinstance(value, (int, float)) and value == value and value != 0


def _box(value: object) -> list[float] | None:
    try:
        x, y, w, h = (float(v) for v in value)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(map(math.isfinite, (x, y, w, h))) or w <= 0 or h <= 0:
        return None
    return [x, y, w, h]


def _of_mask(mask: Mapping[str, Any]) -> list[float] | None:
    """Of lengths of runs down the columns, as numbers or in COCO's packed text."""
    size, counts = mask.get('size'), mask.get('counts')
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        return None
    if not all(isinstance(side, int) and 0 < side < _LONGEST_SIDE for side in size):
        return None
    if isinstance(counts, str):
        # What is no such text, or ends within a number, pycocotools reads beyond.
        if not _PACKED.fullmatch(counts):
            return None
        packed: dict[str, Any] = {'size': list(size), 'counts': counts.encode('ascii')}
    elif isinstance(counts, list) and all(
        isinstance(n, int) and 0 <= n <= size[0] * size[1] for n in counts
    ):
        packed = masks.frPyObjects({'size': list(size), 'counts': counts}, *size)
    else:
        return None
    return _box(masks.toBbox(packed).tolist())


def _around(polygons: object) -> list[float] | None:
    """Of x1 y1 x2 y2 ..., in one list or in a list of them."""
    if not isinstance(polygons, (list, tuple)) or not polygons:
        return None
    if not isinstance(polygons[0], (list, tuple)):
        polygons = [polygons]
    try:
        parts = [[float(v) for v in polygon] for polygon in polygons]
    except (TypeError, ValueError, OverflowError):
        return None
    if any(len(part) % 2 for part in parts):
        return None
    xs = [x for part in parts for x in part[::2]]
    ys = [y for part in parts for y in part[1::2]]
    if not xs:
        return None
    return _box((min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)))


def area_of(annotation: Mapping[str, Any], box: Sequence[float]) -> float:
    """What an annotation covers: as the file says, 0 included, or else its box.

    The official tools judge by it, LVIS's by leaving out what covers nothing.

    Args:
        annotation: As in the file.
        box: (x, y, w, h) in pixels.
    """
    area = annotation.get('area')
    number = isinstance(area, (int, float)) and not isinstance(area, bool)
    return area if number and 0 <= area < math.inf else box[2] * box[3]
