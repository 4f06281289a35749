"""One line per box, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from glip.formats.boxes import PictureBoxes, rows

COLUMNS = (
    *('image', 'frame', 'time', 'label', 'name', 'score'),
    *('x1', 'y1', 'x2', 'y2', 'width', 'height'),
)
# Spreadsheets take what begins so for a formula and run it.
_FORMULA_STARTS = ('=', '+', '-', '@', '\t', '\r', '\n')


def to_csv(pictures: Iterable[PictureBoxes], *, header: bool = True) -> str:
    """Write all boxes as comma-separated lines.

    Texts that a spreadsheet would run as formulas get an apostrophe in front, as OWASP
    advises.

    Args:
        pictures: Any number of pictures.
        header: Begin with the names of the columns.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
    if header:
        writer.writeheader()
    for picture in pictures:
        for row in rows(picture):
            writer.writerow({key: _harmless(value) for key, value in row.items()})
    return text.getvalue()


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
