"""Scenes as HTML pages that need nothing beside them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from glip.visualization.drawing import (
    Color,
    ink_on,
    line_width,
    place_tags,
)
from glip.visualization.picture import ABSENT, drawing_order, tag_words
from glip.visualization.scene import Scene, phrase_colors, segments

_QUALITY = 90
_SMALLEST = 540  # pixels of the longer side that tags need to be read
_NARROWEST = 360  # pixels that a caption needs
_TAG_SHARE = 0.45

_STYLE = """
body { font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; color: #323232;
  max-width: 1700px; margin: 0 auto; padding: 0 16px 40px; background: #fff; }
header { position: sticky; top: 0; background: #fff; z-index: 1;
  border-bottom: 1px solid #ddd; padding: 6px 0; }
h1 { font-size: 20px; margin: 20px 0 8px; }
table { border-collapse: collapse; margin: 8px 0; }
th, td { text-align: left; padding: 1px 18px 1px 0; vertical-align: top;
  font-weight: normal; }
th { color: #777; white-space: nowrap; }
main { display: flex; flex-wrap: wrap; gap: 20px 28px; align-items: flex-start;
  padding: 14px 0; }
article { width: min-content; max-width: 100%; }
article.steps { width: 100%; }
h2 { font-size: 15px; margin: 0 0 6px; overflow-wrap: anywhere; }
h2 small, figcaption, .note { color: #777; font-weight: normal; font-size: 13px; }
.parts { display: flex; flex-wrap: wrap; gap: 12px 20px; align-items: flex-start; }
figure { margin: 0; max-width: 100%; }
.view { position: relative; max-width: 100%; }
.view img { display: block; width: 100%; }
.view svg { position: absolute; inset: 0; width: 100%; height: 100%; }
.caption { margin: 6px 0 0; max-height: 9.5em; overflow: auto;
  overflow-wrap: anywhere; white-space: pre-wrap; }
mark { padding: 1px 0; border-radius: 2px; cursor: default; }
.absent { color: #a0a0a0; }
g { transition: opacity .1s; }
.focus g { opacity: .1; }
.focus g.on { opacity: 1; }
.bare svg, .plain .tag { display: none; }
"""

_SCRIPT = """
for (const article of document.querySelectorAll('article')) {
  const set = on => event => {
    const at = event.target.closest('[data-p]');
    if (!at) return;
    article.classList.toggle('focus', on);
    for (const label of at.dataset.p.split(' '))
      for (const g of article.querySelectorAll(`g[data-p="${label}"]`))
        g.classList.toggle('on', on);
  };
  article.addEventListener('mouseover', set(true));
  article.addEventListener('mouseout', set(false));
}
for (const [id, name] of [['boxes', 'bare'], ['tags', 'plain']]) {
  const box = document.getElementById(id);
  box.addEventListener('change',
    () => document.body.classList.toggle(name, !box.checked));
}
"""


class PageWriter:
    """Writes ``index.html`` and, as there are more, ``page_002.html`` and so on.

    Only the first page and the one at hand are in memory. Point at a phrase or a box
    and the others fade.

    Args:
        folder: Where to write; it exists.
        title: Heading of all pages.
        per_page: Articles on one page.
    """

    def __init__(self, folder: Path, title: str, per_page: int = 20) -> None:
        self.folder = folder
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
        figures = ''.join(_figure(heading, scene) for heading, scene in parts)
        lines = ''.join(f'<div class="note">{escape(note)}</div>' for note in notes)
        kind = ' class="steps"' if len(parts) > 1 else ''
        self._page.append(
            f'<article id="n{self._count}"{kind}><h2>{escape(title)}</h2>'
            f'<div class="parts">{figures}</div>{lines}</article>\n'
        )

    def finish(self, facts: Sequence[tuple[str, str]]) -> Path:
        """Write what is not written yet.

        Args:
            facts: Name and value, shown on top of the first page.

        Returns:
            The first page.
        """
        self._turn(is_last=True)
        rows = ''.join(
            f'<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>'
            for name, value in facts
        )
        self._write(1, f'<table>{rows}</table>', self._first, self._pages == 1)
        return self._path(1)

    @property
    def _pages(self) -> int:
        return max(1, math.ceil(self._count / self.per_page))

    def _path(self, number: int) -> Path:
        name = 'index.html' if number == 1 else f'page_{number:03d}.html'
        return self.folder / name

    def _turn(self, *, is_last: bool) -> None:
        """Put the page at hand away."""
        if self._pages == 1:
            self._first = self._page
        else:
            self._write(self._pages, '', self._page, is_last)
        self._page = []

    def _write(
        self, number: int, top: str, articles: Sequence[str], is_last: bool
    ) -> None:
        links = []
        if number > 1:
            links.append('<a href="index.html">first</a>')
            links.append(f'<a href="{self._path(number - 1).name}">previous</a>')
        if not is_last:
            links.append(f'<a href="{self._path(number + 1).name}">next</a>')
        content = (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f'<title>{escape(self.title)}</title><style>{_STYLE}</style></head>\n'
            f'<body><h1>{escape(self.title)}</h1>{top}\n'
            '<header><label><input type="checkbox" id="boxes" checked> boxes</label> '
            '<label><input type="checkbox" id="tags" checked> tags</label> '
            f'&nbsp; page {number} {" ".join(links)}</header>\n'
            f'<main>{"".join(articles)}</main><script>{_SCRIPT}</script></body></html>\n'
        )
        self._path(number).write_text(content, encoding='utf-8')


def _figure(heading: str, scene: Scene) -> str:
    """A picture with boxes over it and its caption below."""
    colors = phrase_colors(scene.counts())
    width, height = scene.size
    # Tags are laid out for the size in which the picture is shown.
    factor = max(1.0, _SMALLEST / max(width, height))
    shown = (max(1, round(width * factor)), max(1, round(height * factor)))
    head = f'<figcaption>{escape(heading)}</figcaption>' if heading else ''
    return (
        f'<figure style="width:{max(shown[0], _NARROWEST)}px">{head}'
        f'<div class="view" style="width:{shown[0]}px">'
        f'<img src="{_embedded(scene.image)}" width="{width}" height="{height}" '
        f'style="height:auto" alt="">{_overlay(scene, colors, factor, shown)}</div>'
        f'{_caption(scene, colors)}</figure>'
    )


def _embedded(image: np.ndarray) -> str:
    """A picture as an address that holds it."""
    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image)).convert('RGB')
    picture.save(file, 'JPEG', quality=_QUALITY)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'


def _overlay(
    scene: Scene, colors: Mapping[int, Color], factor: float, size: tuple[int, int]
) -> str:
    """Boxes and tags, those to be on top last."""
    width, height = size
    placed = scene.boxes * factor
    order = drawing_order(scene)
    tags = place_tags(
        placed[order],
        [tag_words(scene, i) for i in order],
        size,
        share=_TAG_SHARE,
    )
    line = line_width(size)
    boxes, words = [], []
    for i, tag in zip(order[::-1], tags[::-1], strict=True):
        label, ignored = int(scene.labels[i]), bool(scene.ignored[i])
        color = ABSENT if ignored else colors[label]
        x1, y1, x2, y2 = placed[i].tolist()
        x1, x2 = (min(max(x, 0), width) for x in (x1, x2))
        y1, y2 = (min(max(y, 0), height) for y in (y1, y2))
        dashes = f' stroke-dasharray="{4 * line}"' if ignored else ''
        boxes.append(
            f'<g data-p="{label}"><rect x="{x1 + line / 2:.1f}" '
            f'y="{y1 + line / 2:.1f}" width="{max(x2 - x1 - line, 0.5):.1f}" '
            f'height="{max(y2 - y1 - line, 0.5):.1f}" fill="none" '
            f'stroke="{_hex(color)}" stroke-width="{line}"{dashes}>'
            f'<title>{escape(scene.names[label])}</title></rect></g>'
        )
        left, top, right, bottom = tag.rect
        pad = max(1, round(tag.font.size / 8))
        ascent, _ = tag.font.getmetrics()
        words.append(
            f'<g class="tag" data-p="{label}"><rect x="{left:.1f}" y="{top:.1f}" '
            f'width="{right - left:.1f}" height="{bottom - top:.1f}" '
            f'fill="{_hex(color)}"/><text x="{left + pad:.1f}" '
            f'y="{top + pad + ascent:.1f}" font-size="{tag.font.size}" '
            f'textLength="{right - left - 2 * pad:.1f}" '
            f'lengthAdjust="spacingAndGlyphs" '
            f'fill="{_hex(ink_on(color))}">{escape(tag.text)}</text></g>'
        )
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" '
        f'font-family="\'DejaVu Sans\', sans-serif">{"".join(boxes + words)}</svg>'
    )


def _caption(scene: Scene, colors: Mapping[int, Color]) -> str:
    """The caption, phrases that have boxes in their colours."""
    if not scene.caption:
        return ''
    counts = scene.counts()
    made = []
    for text, labels, absent in segments(scene.caption, scene.phrases, colors):
        words = escape(text)
        if labels:
            own, *others = (colors[label] for label in labels)
            lines = ', '.join(
                f'inset 0 -{3 * (i + 1)}px {_hex(c)}' for i, c in enumerate(others)
            )
            shadow = f';box-shadow:{lines}' if lines else ''
            says = '; '.join(f'{scene.names[k]}: {counts[k]}' for k in labels)
            made.append(
                f'<mark data-p="{" ".join(map(str, labels))}" title="{escape(says)}" '
                f'style="background:{_hex(own)};color:{_hex(ink_on(own))}{shadow}">'
                f'{words}</mark>'
            )
        elif absent:
            made.append(f'<span class="absent">{words}</span>')
        else:
            made.append(words)
    return f'<p class="caption">{"".join(made)}</p>'


def _hex(color: Color) -> str:
    return '#{:02x}{:02x}{:02x}'.format(*color)
