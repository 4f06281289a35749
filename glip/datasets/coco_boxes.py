"""The box of an annotation in COCO's layout: its own, or that of its outline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def usable_box(annotation: Mapping[str, Any]) -> list[float] | None:
    """(x, y, w, h) of positive size, or None.

    Tools that draw outlines may write no ``bbox``, or an empty one; then it is the box
    around the polygons of ``segmentation``.
    """
    box = _box(annotation.get('bbox'))
    return _around(annotation.get('segmentation')) if box is None else box


def _box(value: object) -> list[float] | None:
    try:
        x, y, w, h = (float(v) for v in value)  # type: ignore[union-attr]
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(map(math.isfinite, (x, y, w, h))) or w <= 0 or h <= 0:
        return None
    return [x, y, w, h]


def _around(polygons: object) -> list[float] | None:
    """Of x1 y1 x2 y2 ..., in one list or in a list of them; masks have no corners."""
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
