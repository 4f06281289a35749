"""A page of what a model does worst: annotated and detected boxes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from glip.errors import ImageError, one_line
from glip.images import load_image
from glip.report.page import PageWriter, fitted
from glip.visualization.scene import Scene

_PER_PAGE = 10
_HINT = 'point at a box or at a word of the line below a picture; others fade'


class Judged(Protocol):
    """A picture, or a caption of one, whose detections are judged.

    Attributes:
        img_id: Its id in the annotations.
        path: The picture file.
        caption: Words it was asked for; empty for those of all classes.
    """

    @property
    def img_id(self) -> Any: ...

    @property
    def path(self) -> str: ...

    @property
    def caption(self) -> str: ...

    @property
    def quality(self) -> tuple[float, ...]:
        """What the worst has least of."""

    def notes(self) -> list[str]:
        """What is right and wrong, in words."""

    def sides(self, image: np.ndarray, factor: float) -> list[tuple[str, Scene]]:
        """Heading and scene of what is annotated and what is detected.

        Args:
            image: (H, W, 3) RGB.
            factor: Length of a side over that of the file, for the boxes.
        """


def write_worst(
    judged: Sequence[Judged],
    folder: Path,
    *,
    title: str,
    count: int,
    facts: Sequence[tuple[str, str]],
) -> Path:
    """Write a page of the worst; of a picture that cannot be read, why.

    Args:
        judged: All of a data set.
        folder: Where to write; created where it is missing.
        title: Heading of the page.
        count: How many are on it, the worst first.
        facts: Name and value, shown on top.

    Returns:
        The first page.

    Raises:
        OSError: It cannot be written there.
    """
    page = PageWriter(folder, title, _PER_PAGE)
    for one in sorted(judged, key=lambda one: one.quality)[:count]:
        notes, sides = one.notes(), []
        try:
            sides = one.sides(*fitted(load_image(one.path)[..., ::-1]))
        except ImageError as error:
            notes = [*filter(None, [one.caption]), *notes, one_line(error)]
        page.add(f'{Path(one.path).name} (id {one.img_id})', sides, notes)
    return page.finish([*facts, ('to see more', _HINT)])
