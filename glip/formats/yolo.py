"""YOLO's text files: class index, centre and size in shares of the picture."""

from __future__ import annotations

import json
from collections.abc import Sequence

from glip.errors import GLIPError
from glip.formats.boxes import PictureBoxes


def to_yolo(
    picture: PictureBoxes, classes: Sequence[str], *, scores: bool = False
) -> str:
    """Write one line per box, as Ultralytics reads labels.

    Args:
        picture: The boxes.
        classes: Names by index.
        scores: Add the score to each line, as Ultralytics does to predictions; labels
            for training must not have it.
    """
    index = {name: number for number, name in enumerate(classes)}
    width, height = picture.size
    lines = []
    for box, score, name in zip(
        picture.boxes, picture.scores, picture.names, strict=True
    ):
        x1, y1, x2, y2 = (float(value) for value in box)
        values = [
            (x1 + x2) / 2 / width,
            (y1 + y2) / 2 / height,
            (x2 - x1) / width,
            (y2 - y1) / height,
        ]
        if scores:
            values.append(float(score))
        lines.append(f'{index[name]} {" ".join(f"{value:.6f}" for value in values)}\n')
    return ''.join(lines)


def check_name(name: str) -> None:
    """Refuse a name that ``data.yaml`` cannot hold.

    Raises:
        GLIPError: It has a line break.
    """
    if len(name.splitlines()) > 1:
        raise GLIPError(f'YOLO cannot hold the name {name!r}: it has a line break')


def data_yaml(classes: Sequence[str], splits: dict[str, str]) -> str:
    """Write Ultralytics' ``data.yaml``.

    Args:
        classes: Names by index.
        splits: ``train``, ``val``: folders of pictures, relative to the file.

    Raises:
        GLIPError: A name holds a line break, which the format cannot hold.
    """
    for name in classes:
        check_name(name)
    # A JSON string is a YAML string.
    names = [
        f'  {number}: {json.dumps(name, ensure_ascii=False)}\n'
        for number, name in enumerate(classes)
    ]
    folders = [f'{split}: {json.dumps(path)}\n' for split, path in splits.items()]
    return ''.join(['path: .\n', *folders, 'names:\n', *names])
