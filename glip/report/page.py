"""Scenes as HTML pages that need nothing beside them."""

from __future__ import annotations

import base64
import functools
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from PIL import Image

from glip.runtime.atomic import atomic_write
from glip.visualization.drawing import (
    Color,
    ink_on,
    line_width,
    place_tags,
)
from glip.visualization.picture import ABSENT, drawing_order, tag_words
from glip.visualization.scene import Scene, phrase_colors, segments

_QUALITY = 90
_LARGEST = 1000  # pixels of the longer side of pictures that are read for a page
_SMALLEST = 540  # pixels of the longer side that tags need to be read
_NARROWEST = 360  # pixels that a caption needs
_TAG_SHARE = 0.45


class PageWriter:
    """Writes ``index.html`` and, as there are more, ``page_002.html`` and so on.

    Only the first page and the one at hand are in memory. Point at a phrase or a box
    and the others fade.

    Args:
        folder: Where to write; created where it is missing.
        title: Heading of all pages.
        per_page: Articles on one page.
        name: Of the first page, in place of ``index``; others begin with it then.
    """

    def __init__(
        self, folder: Path, title: str, per_page: int = 20, *, name: str = 'index'
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.name = name
        self.title = title
        self.per_page = per_page
        self._first: list[str] = []
        self._page: list[str] = []
        self._count = 0

    def add(
        self,
        title: str,
        parts: Sequence[tuple[str, Scene]],
        notes: Sequence[str] = (),
    ) -> None:
        """Add one article.

        Args:
            title: Its heading.
            parts: Heading and scene of each of its pictures.
            notes: Lines below.
        """
        if self._count and self._count % self.per_page == 0:
            self._turn(is_last=False)
        self._count += 1
        figures = [_figure(heading, scene) for heading, scene in parts]
        content = dict(title=title, figures=figures, notes=notes)
        self._page.append(_rendered('article', number=self._count, **content))

    def finish(self, facts: Sequence[tuple[str, str]]) -> Path:
        """Write what is not written yet, and remove pages of before.

        Args:
            facts: Name and value, shown on top of the first page; values are words, or
                what :func:`bars` and :func:`ranking` make.

        Returns:
            The first page.
        """
        for page in self.folder.glob(f'{self._prefix}_*.html'):
            number = page.stem.removeprefix(f'{self._prefix}_')
            if number.isdigit() and int(number) > self._pages:
                page.unlink()  # an earlier writer had more
        self._turn(is_last=True)
        self._write(1, self._first, self._pages == 1, facts)
        return self._path(1)

    @property
    def _pages(self) -> int:
        return max(1, math.ceil(self._count / self.per_page))

    def _path(self, number: int) -> Path:
        name = self.name if number == 1 else f'{self._prefix}_{number:03d}'
        return self.folder / f'{name}.html'

    @property
    def _prefix(self) -> str:
        return 'page' if self.name == 'index' else self.name

    def _turn(self, *, is_last: bool) -> None:
        if self._pages == 1:
            self._first = self._page
        else:
            self._write(self._pages, self._page, is_last)
        self._page = []

    def _write(
        self,
        number: int,
        articles: Sequence[str],
        is_last: bool,
        facts: Sequence[tuple[str, str]] = (),
    ) -> None:
        links = []
        if number > 1:
            links.append(('first', self._path(1).name))
            links.append(('previous', self._path(number - 1).name))
        if not is_last:
            links.append(('next', self._path(number + 1).name))
        page = dict(title=self.title, number=number, facts=facts, links=links)
        content = _rendered('page', articles=articles, **page)
        with atomic_write(self._path(number)) as part:
            part.write_text(content, encoding='utf-8')


@functools.cache
def _templates() -> Environment:
    """The templates of pages, which escape what is put in."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name('templates')),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _rendered(template: str, **content: Any) -> str:
    return _templates().get_template(f'{template}.html').render(**content)


def bars(labels: Sequence[str], counts: Sequence[int]) -> Markup:
    """A histogram for a page, with labels below the bars."""
    most = max(counts, default=0) or 1
    rows = [(label, n, 100 * n / most) for label, n in zip(labels, counts)]
    return Markup(_rendered('bars', bars=rows))


def ranking(counts: Sequence[tuple[str, int]]) -> Markup:
    """Names with how often each was counted, for a page."""
    return Markup(_rendered('ranking', counts=counts))


def fitted(image: np.ndarray) -> tuple[np.ndarray, float]:
    """A picture small enough for a page, and the factor that scales its boxes."""
    height, width = image.shape[:2]
    factor = _LARGEST / max(height, width)
    if factor >= 1:
        return image, 1.0
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    small = Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.BILINEAR)
    return np.asarray(small), factor


def _figure(heading: str, scene: Scene) -> dict[str, Any]:
    """A picture with boxes over it and its caption below, for the template."""
    colors = phrase_colors(scene.counts())
    # Tags are laid out for the size in which the picture is shown.
    factor = max(1.0, _SMALLEST / max(scene.size))
    width, height = (max(1, round(side * factor)) for side in scene.size)
    return {
        'heading': heading,
        'column': max(width, _NARROWEST),
        'width': width,
        'height': height,
        'image': _embedded(scene.image),
        'line': line_width((width, height)),
        'marks': list(_marks(scene, colors, factor, (width, height)))[::-1],
        'words': list(_caption(scene, colors)) if scene.caption else [],
    }


def _embedded(image: np.ndarray) -> str:
    """A picture as an address that holds it."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image)).convert('RGB')
    picture.save(file, 'JPEG', quality=_QUALITY)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'


def _marks(
    scene: Scene, colors: Mapping[int, Color], factor: float, size: tuple[int, int]
) -> Iterator[dict[str, Any]]:
    """Each box with its tag, that on top first."""
    order = drawing_order(scene)
    scaled = (scene.boxes * factor)[order]
    words = [tag_words(scene, i) for i in order]
    tags = place_tags(scaled, words, size, share=_TAG_SHARE)
    inside = scaled.reshape(-1, 2, 2).clip(0, size).reshape(-1, 4)
    for i, box, tag in zip(order, inside.tolist(), tags, strict=True):
        label, ignored = int(scene.labels[i]), bool(scene.ignored[i])
        color = ABSENT if ignored else colors[label]
        yield {
            'label': label,
            'name': scene.names[label],
            'ignored': ignored,
            'color': _hex(color),
            'ink': _hex(ink_on(color)),
            'box': box,
            'tag': tag,
        }


def _caption(scene: Scene, colors: Mapping[int, Color]) -> Iterator[dict[str, Any]]:
    """Pieces of the caption; phrases that have boxes come with their colours."""
    counts = scene.counts()
    for text, labels, absent in segments(scene.caption, scene.phrases, colors):
        yield {
            'text': text,
            'labels': labels,
            'absent': absent,
            'colors': [_hex(colors[label]) for label in labels],
            'ink': _hex(ink_on(colors[labels[0]])) if labels else '',
            'counts': '; '.join(f'{scene.names[k]}: {counts[k]}' for k in labels),
        }


def _hex(color: Color) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*color)
