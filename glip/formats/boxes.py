"""What every format needs to know of the detections in a picture."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class PictureBoxes(Protocol):
    """Boxes of one picture, as :class:`glip.Detections` has them."""

    @property
    def boxes(self) -> np.ndarray: ...
    @property
    def scores(self) -> np.ndarray: ...
    @property
    def labels(self) -> np.ndarray: ...
    @property
    def names(self) -> Sequence[str]: ...
    @property
    def classes(self) -> Sequence[str]: ...
    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def image(self) -> str | None: ...
    @property
    def frame(self) -> int | None: ...
    @property
    def time(self) -> float | None: ...


def class_list(pictures: Iterable[PictureBoxes]) -> list[str]:
    """Names of the classes of several pictures, each once, as they were asked for."""
    return list(
        dict.fromkeys(
            name for picture in pictures for name in (*picture.classes, *picture.names)
        )
    )


def file_name(picture: PictureBoxes, number: int = 1) -> str:
    """Name of the picture's file; of a frame, that of its video with a number.

    Args:
        picture: Its ``image`` is a path, an address or None.
        number: Stands for pictures that have no name.
    """
    if picture.image is None:
        return f'picture_{number:06d}.jpg'
    name = picture.image
    if '://' in name:
        parts = urllib.parse.urlsplit(name)
        name = urllib.parse.unquote(parts.path).rstrip('/') or parts.netloc
    path = Path(name)
    if picture.frame is not None:
        return f'{path.stem}_{picture.frame:06d}.jpg'
    return path.name


def rows(picture: PictureBoxes) -> Iterator[dict[str, Any]]:
    """One flat record per box, for tables.

    ``frame`` and ``time`` (seconds) are None where the picture is no frame of a video.
    """
    width, height = picture.size
    for box, score, label, name in zip(
        picture.boxes, picture.scores, picture.labels, picture.names, strict=True
    ):
        x1, y1, x2, y2 = (shortest(value) for value in box)
        yield {
            'image': picture.image,
            'frame': picture.frame,
            'time': picture.time,
            'label': int(label),
            'name': name,
            'score': shortest(score),
            'x1': x1,
            'y1': y1,
            'x2': x2,
            'y2': y2,
            'width': width,
            'height': height,
        }


def shortest(value: np.floating) -> float:
    """float32 to the shortest decimal that gives the same float32 back."""
    return float(str(np.float32(value)))
