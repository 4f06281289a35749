"""What the page shows and gives away of detections: picture, table, files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from glip.apis import Detections
from glip.formats.boxes import rows
from glip.runtime.writing import make_folder, safe_name, write_text

HEAD = ('name', 'score', 'x1', 'y1', 'x2', 'y2')


@dataclass(frozen=True)
class Results:
    """Detections of one picture, written for the browser.

    Attributes:
        table: A row per box, best first: those of ``HEAD``.
        picture: File with the boxes drawn.
        record: File of JSON, as ``Detections.to_dict`` has it.
    """

    table: list[list[str | float]]
    picture: Path
    record: Path


def write_results(detections: Detections, folder: Path) -> Results:
    """Draw detections and write their files, over those of before.

    Args:
        detections: Of a picture that can still be read.
        folder: Of one who looks at the page.

    Raises:
        ImageError: The picture is gone.
        ConfigError: The files cannot be written.
    """
    detections = detections.top(len(detections))
    make_folder(folder)
    name = Path(detections.image or 'picture').name
    stem = safe_name(Path(name).stem) or 'picture'
    drawn, record = folder / f'{stem}_boxes.jpg', folder / f'{stem}_boxes.json'
    detections.plot().save(drawn, quality=92)
    # Where uploads lie is no matter of those who get the file.
    write_text(record, replace(detections, image=name).to_json() + '\n')
    return Results(table_of(detections), drawn, record)


def table_of(detections: Detections) -> list[list[str | float]]:
    """A row per box: name, score, and corners in pixels."""
    return [
        [row['name'], round(row['score'], 3)]
        + [round(row[corner], 1) for corner in ('x1', 'y1', 'x2', 'y2')]
        for row in rows(detections)
    ]
