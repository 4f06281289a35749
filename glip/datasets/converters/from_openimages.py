"""Open Images' official tables of boxes and class names to ODVG."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from PIL import Image

from glip.datasets.converters.output import PathLike
from glip.datasets.converters.pictures import MissingPictures
from glip.datasets.converters.result import Result
from glip.datasets.converters.write import write_detection
from glip.datasets.sample import DetectionSample, Dropped
from glip.errors import DatasetError
from glip.received import check_is_file, path_below
from glip.runtime.progress import track_lines

_COLUMNS = ('ImageID', 'LabelName', 'XMin', 'XMax', 'YMin', 'YMax', 'IsGroupOf')
_CORNERS = ('XMin', 'YMin', 'XMax', 'YMax')
_GROUPS = 'boxes around a group of things'

Row = Mapping[str, str]


def openimages_to_odvg(
    boxes: PathLike,
    classes: PathLike,
    pictures: PathLike,
    output: PathLike,
    *,
    label_map: PathLike | None = None,
    keep_groups: bool = False,
) -> Result:
    """Write one record per picture that has rows, and the label map.

    The table says boxes in parts of the picture, so each picture's size is read from
    the head of its file. The rows are streamed; those of a picture must lie together,
    as they do in the official files.

    Args:
        boxes: ``oidv6-train-annotations-bbox.csv`` or one of its kind.
        classes: ``class-descriptions-boxable.csv``: label, class name.
        pictures: Folder of ``<ImageID>.jpg``.
        output: Records to write.
        label_map: Class names to write, by default ``openimages_label_map.json``
            beside the records.
        keep_groups: Keep boxes that surround more than five things at once.

    Raises:
        DatasetError: A file cannot be used, or the results not be written.
    """
    boxes, pictures = os.fspath(boxes), os.fspath(pictures)
    if label_map is None:
        folder = os.path.dirname(os.fspath(output))
        label_map = os.path.join(folder, 'openimages_label_map.json')
    names = _read_classes(os.fspath(classes))
    index = {label: number for number, label in enumerate(names)}
    dropped = Dropped(boxes)
    return write_detection(
        _samples(_rows(boxes, index), pictures, index, keep_groups, dropped),
        list(names.values()),
        output,
        label_map=label_map,
        inputs=[boxes, classes],
        dropped=dropped,
    )


def _read_classes(path: str) -> dict[str, str]:
    """Label -> class name; a heading, which newer files have, is no class."""
    names = {}
    for row in csv.reader(line for _, line in track_lines(path, 'class names')):
        if not row or row[0] == 'LabelName':
            continue
        if len(row) != 2:
            raise DatasetError(
                f'{path}: {",".join(row)[:80]!r} is no row of "label,class name"; the '
                'file is class-descriptions-boxable.csv of the download page'
            )
        names[row[0]] = row[1]
    if not names:
        raise DatasetError(f'{path} lists no class')
    return names


def _rows(path: str, known: Mapping[str, int]) -> Iterator[tuple[int, Row]]:
    """Rows of the table with their line numbers."""
    lines = track_lines(path, 'rows of boxes')
    heading = next(lines, (1, ''))[1].split(',')
    missing = [column for column in _COLUMNS if column not in heading]
    if missing:
        raise DatasetError(
            f'{path} has no column {", ".join(missing)}; the file is '
            'oidv6-train-annotations-bbox.csv of the download page'
        )
    for number, line in lines:
        values = line.split(',')
        if len(values) != len(heading):
            raise DatasetError(
                f'{path}, line {number}: {len(values)} values for {len(heading)} '
                'columns; the download may be cut off'
            )
        row = dict(zip(heading, values))
        if row['LabelName'] not in known:
            raise DatasetError(
                f'{path}, line {number}: the label {row["LabelName"]} is not in the '
                'file of class names; both must be of one version'
            )
        yield number, row


def _samples(
    rows: Iterable[tuple[int, Row]],
    pictures: str,
    index: Mapping[str, int],
    keep_groups: bool,
    dropped: Dropped,
) -> Iterator[DetectionSample]:
    seen: set[str] = set()
    missing = MissingPictures(dropped, 'pictures that are missing or unreadable')
    for image_id, group in groupby(rows, key=lambda row: row[1]['ImageID']):
        lines = list(group)
        if image_id in seen:
            raise DatasetError(
                f'{dropped.source}, line {lines[0][0]}: rows of picture {image_id} are '
                'not together; sort the file by its first column'
            )
        seen.add(image_id)
        name = f'{image_id}.jpg'
        path = os.path.join(pictures, name)
        if path_below(pictures, name) is None:
            dropped.add('pictures outside the folder', name)
            continue
        try:
            check_is_file(path)
            with Image.open(path) as image:
                size = image.size  # as stored, which Open Images' boxes refer to
        except (
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
        ) as error:
            missing.add(name, path, error)
            continue
        missing.present()
        singles = [row for row in lines if keep_groups or row[1]['IsGroupOf'] != '1']
        if len(singles) < len(lines):
            dropped.add(_GROUPS, name, len(lines) - len(singles))
        yield DetectionSample.checked(
            file_name=name,
            width=size[0],
            height=size[1],
            boxes=[_box(row, size, dropped.source, line) for line, row in singles],
            labels=[index[row['LabelName']] for _, row in singles],
            dropped=dropped,
            where=name,
            image_id=image_id,
        )


def _box(
    row: Row, size: tuple[int, int], source: str, line: int
) -> tuple[float, float, float, float]:
    """Corners in pixels."""
    try:
        x1, y1, x2, y2 = (float(row[key]) for key in _CORNERS)
    except ValueError as error:
        raise DatasetError(f'{source}, line {line}: {error}') from error
    return x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1]
