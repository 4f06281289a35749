"""The page that shows pictures side by side: what is annotated and what is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from glip.errors import ImageError, one_line
from glip.images import load_image
from glip.report.page import PageWriter
from glip.visualization.scene import Scene

_LARGEST = 1000  # pixels of the longer side on the page
_PER_PAGE = 10

# Heading and scene of each side, from the picture and what its boxes are scaled by.
Sides = Callable[[np.ndarray, float], Sequence[tuple[str, Scene]]]


class SideBySidePage:
    """Base of pages that ``--plots`` writes as ``index.html``.

    Args:
        folder: Where to; made where it is missing, and emptied of older pages.
        title: Of the page.
        hint: How to see more of a picture.
    """

    def __init__(self, folder: Path, title: str, hint: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob('page_*.html'):
            old.unlink()
        self._hint = hint
        self._writer = PageWriter(folder, title, _PER_PAGE)

    def finish(self, facts: Sequence[tuple[str, str]]) -> Path:
        """Write what is not written yet.

        Args:
            facts: Name and value, shown on top.

        Returns:
            The first page.
        """
        return self._writer.finish([*facts, ('to see more', self._hint)])

    def _add(
        self,
        path: str,
        img_id: object,
        sides: Sides,
        notes: Sequence[str],
        unseen: Sequence[str] = (),
    ) -> None:
        """Add a picture; one that cannot be read is said.

        Args:
            path: Where it is.
            img_id: Its number.
            sides: Makes what is shown.
            notes: Lines below it.
            unseen: Lines that go before them where there is nothing to show.
        """
        title = f'{Path(path).name} (id {img_id})'
        try:
            image = load_image(path)[..., ::-1]
        except ImageError as error:
            self._writer.add(title, (), [*unseen, *notes, one_line(error)])
            return
        self._writer.add(title, sides(*_fitted(image)), notes)


def _fitted(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture small enough for a page, and what its boxes are to be scaled by."""
    height, width = image.shape[:2]
    factor = _LARGEST / max(height, width)
    if factor >= 1:
        return image, 1.0
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.BILINEAR)
    return np.asarray(small), factor
