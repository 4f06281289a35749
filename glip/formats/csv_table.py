"""One line per box, for spreadsheets."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from glip.formats.boxes import PictureBoxes, rows
from glip.runtime.writing import csv_text

COLUMNS = (
    *('image', 'frame', 'time', 'label', 'name', 'score'),
    *('x1', 'y1', 'x2', 'y2', 'width', 'height'),
)


def to_csv(pictures: Iterable[PictureBoxes], *, header: bool = True) -> str:
    """Write all boxes as comma-separated lines.

    Texts that a spreadsheet would run as formulas get an apostrophe in front, as OWASP
    advises.

    Args:
        pictures: Any number of pictures.
        header: Begin with the names of the columns.
    """
    lines = (
        [row.get(column, '') for column in COLUMNS]
        for picture in pictures
        for row in rows(picture)
    )
    return csv_text(chain([COLUMNS] if header else [], lines))
