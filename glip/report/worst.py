"""A page of what a model does worst: annotated and detected boxes side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glip.errors import ImageError, one_line
from glip.images import load_image
from glip.report.judged_captions import JudgedCaption
from glip.report.judged_pictures import JudgedPicture
from glip.report.page import PageWriter, fitted

_PER_PAGE = 10
_HINT = 'point at a box or at a word of the line below a picture; others fade'


def write_worst(
    judged: Sequence[JudgedPicture | JudgedCaption],
    folder: Path,
    *,
    title: str,
    count: int,
    facts: Sequence[tuple[str, str]],
) -> list[Path]:
    """Write a page of the worst; of a picture that cannot be read, why.

    Args:
        judged: All of a data set.
        folder: Where to write; created where it is missing.
        title: Heading of the page.
        count: How many are on it, the worst first; of 0 there is no page.
        facts: Name and value, shown on top.

    Returns:
        The first page, if any.

    Raises:
        OSError: It cannot be written there.
    """
    if not count:
        return []
    page = PageWriter(folder, title, _PER_PAGE)
    for one in sorted(judged, key=lambda one: one.quality)[:count]:
        notes, sides = one.notes(), []
        try:
            sides = one.sides(*fitted(load_image(one.path)[..., ::-1]))
        except ImageError as error:
            notes = [*filter(None, [one.caption]), *notes, one_line(error)]
        page.add(f'{Path(one.path).name} (id {one.img_id})', sides, notes)
    return [page.finish([*facts, ('to see more', _HINT)])]
