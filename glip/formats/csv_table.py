"""One line per box, for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable

from glip.formats.boxes import PictureBoxes, rows
from glip.runtime.writing import csv_text

COLUMNS = (
    *('image', 'frame', 'time', 'label', 'name', 'score'),
    *('x1', 'y1', 'x2', 'y2', 'width', 'height'),
)


def to_csv(pictures: Iterable[PictureBoxes]) -> str:
    """Write all boxes as comma-separated lines below the names of the columns.

    Args:
        pictures: Any number of pictures.
    """
    lines = [[*row.values()] for picture in pictures for row in rows(picture)]
    return csv_text([COLUMNS, *lines])
