"""Boxes, names and scores drawn on a picture."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Color = tuple[int, int, int]
Rect = tuple[float, float, float, float]

# Boxes from which on letters get smaller, as there is less room for each.
_CROWD = 20

PALETTES = ('coco', 'voc', 'citys', 'random', 'none')

# Families tried, in this order, for letters that DejaVu Sans lacks.
_OTHER_FONTS = (
    'Noto Sans CJK SC',
    'Noto Sans CJK JP',
    'Noto Sans SC',
    'WenQuanYi Zen Hei',
    'Microsoft YaHei',
    'PingFang SC',
    'Hiragino Sans',
    'Malgun Gothic',
    'Arial Unicode MS',
    'Noto Sans Devanagari',
    'Noto Sans Thai',
)


def draw_detections(
    image: Image.Image,
    boxes: np.ndarray,
    scores: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    *,
    palette: str = 'none',
    tags: bool = True,
) -> Image.Image:
    """Draw boxes with their names and scores, the best on top.

    Letters and lines grow with the picture; a label stands where it lies inside the
    picture and, if there is room, beside the labels already placed.

    Args:
        image: RGB picture, drawn upon in place.
        boxes: (N, 4) x1 y1 x2 y2 in pixels.
        scores: (N,).
        labels: (N,) class indices; each has one colour.
        names: N texts.
        palette: One of ``PALETTES``.
        tags: Write names and scores.

    Returns:
        The same image.
    """
    if len(boxes) == 0:
        return image
    colors = class_colors(palette, int(max(labels)) + 1)
    order = np.argsort(-np.asarray(scores), kind='stable')
    return draw_boxes(
        image,
        [boxes[i] for i in order],
        [(names[i], f' {scores[i]:.2f}') for i in order] if tags else None,
        [colors[int(labels[i]) % len(colors)] for i in order],
    )


def draw_boxes(
    image: Image.Image,
    boxes: Sequence[np.ndarray],
    tags: Sequence[tuple[str, str]] | None,
    colors: Sequence[Color],
    *,
    share: float = 1.0,
) -> Image.Image:
    """Draw boxes with tags, the first on top.

    Args:
        image: RGB picture, drawn upon in place.
        boxes: x1 y1 x2 y2 in pixels, ends exclusive.
        tags: Per box words, which are cut where they are too long, and what follows
            them; None for boxes alone.
        colors: One for each box.
        share: Of the width of the picture that a tag may take.

    Returns:
        The same image.
    """
    draw = ImageDraw.Draw(image)
    line = line_width(image.size)
    placed = [] if tags is None else place_tags(boxes, tags, image.size, share=share)
    for box, color in zip(boxes[::-1], colors[::-1], strict=True):
        draw.rectangle(_inside(box, *image.size), outline=color, width=line)
    for tag, color in reversed(list(zip(placed, colors))):
        draw.rectangle(tag.rect, fill=color)
        draw.text(
            (tag.rect[0] + tag.pad, tag.rect[1] + tag.pad),
            tag.text,
            font=tag.font,
            fill=ink_on(color),
            anchor='la',
        )
    return image


def blur_boxes(image: Image.Image, boxes: np.ndarray) -> None:
    """Blur what is in the boxes beyond recognition, in place.

    Args:
        image: RGB picture.
        boxes: (N, 4) x1 y1 x2 y2 in pixels.
    """
    for box in boxes:
        x1, y1, x2, y2 = (round(side) for side in _inside(box, *image.size))
        region = (x1, y1, x2 + 1, y2 + 1)
        radius = max(x2 - x1, y2 - y1) / 8 + 1
        image.paste(image.crop(region).filter(ImageFilter.GaussianBlur(radius)), region)


class Tag(NamedTuple):
    """Words beside a box: where they are put, and in which letters."""

    rect: Rect
    text: str
    font: ImageFont.FreeTypeFont

    @property
    def pad(self) -> int:
        """Pixels between the words and the border."""
        return _padding(self.font)


def place_tags(
    boxes: Sequence[np.ndarray],
    tags: Sequence[tuple[str, str]],
    size: tuple[int, int],
    *,
    share: float = 1.0,
) -> list[Tag]:
    """Find a place for each tag; see :func:`draw_boxes`.

    Args:
        boxes: x1 y1 x2 y2 in pixels, ends exclusive.
        tags: Words that may be cut, and what follows them.
        size: (width, height) of the picture.
        share: Of the width that a tag may take.
    """
    letters = font_size(size)
    if len(boxes) > _CROWD:
        letters = max(10, round(letters * math.sqrt(_CROWD / len(boxes))))
    placed: list[Tag] = []
    for box, (words, end) in zip(boxes, tags, strict=True):
        font = font_for(words, letters)
        text = _fitted(' '.join(words.split()), end, font, round(size[0] * share))
        rect = _place(box, text, font, size, [tag.rect for tag in placed])
        placed.append(Tag(rect, text, font))
    return placed


def font_size(size: tuple[int, int]) -> int:
    """Height of letters that suits a picture of this size."""
    return int(np.clip(np.sqrt(size[0] * size[1]) / 45, 10, 240))


def line_width(size: tuple[int, int]) -> int:
    """Width of lines that suits a picture of this size."""
    return max(1, round(font_size(size) / 6))


def class_colors(palette: str, count: int) -> list[Color]:
    """At least one colour, for ``count`` classes; use them cyclically.

    Raises:
        ValueError: No such palette.
    """
    if palette not in PALETTES:
        raise ValueError(f'palette {palette!r} is not one of {", ".join(PALETTES)}')
    if palette == 'none':
        # Steps of the golden ratio keep neighbouring classes far apart in hue.
        hues = ((0.02 + i * 0.6180339887) % 1 for i in range(count))
        shades = (colorsys.hsv_to_rgb(hue, 0.85, 0.95) for hue in hues)
        return [tuple(round(255 * part) for part in shade) for shade in shades]
    # Heavy, and rarely needed.
    from mmdet.visualization.palette import get_palette

    wanted = count if palette == 'random' else 1
    return [tuple(int(c) for c in color) for color in get_palette(palette, wanted)]


def _inside(box: np.ndarray, width: int, height: int) -> Rect:
    """The box, clipped to the picture, as pixels that it covers."""
    x1, y1, x2, y2 = (float(v) for v in box)
    x1, x2 = np.clip([x1, x2 - 1], 0, width - 1)
    y1, y2 = np.clip([y1, y2 - 1], 0, height - 1)
    return x1, y1, max(x1, x2), max(y1, y2)


def _place(
    box: np.ndarray,
    text: str,
    font: ImageFont.FreeTypeFont,
    size: tuple[int, int],
    placed: Sequence[Rect],
) -> Rect:
    """Find a place for a label: above its box, or in it, or below, always inside."""
    pad = _padding(font)
    ascent, descent = font.getmetrics()
    w = font.getlength(text) + 2 * pad
    h = ascent + descent + 2 * pad
    x1, y1, x2, y2 = _inside(box, *size)
    rects = []
    for x, y in _spots((x1, y1, x2, y2), w, h):
        left = min(max(x, 0), max(size[0] - 1 - w, 0))
        top = min(max(y, 0), max(size[1] - 1 - h, 0))
        rect = (left, top, left + w, top + h)
        covered = sum(_shared_area(rect, other) for other in placed)
        if covered == 0:
            return rect
        rects.append((covered, rect))
    return min(rects, key=lambda entry: entry[0])[1]


def _spots(box: Rect, w: float, h: float) -> Iterator[tuple[float, float]]:
    """Corners to try for a label, those that name the box best first.

    Above, in and below the box, from left to right; then farther away, row by row.
    """
    x1, y1, x2, y2 = box
    columns = (x1, x2 - w, (x1 + x2 - w) / 2)
    for x in columns:
        yield from ((x, y) for y in (y1 - h, y1, y2 - h, y2))
    for row in range(2, 5):
        for x in (*columns, x1 - w, x2):
            yield from ((x, y) for y in (y1 - row * h, y2 + (row - 1) * h))


def _shared_area(a: Rect, b: Rect) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def _padding(font: ImageFont.FreeTypeFont) -> int:
    return max(1, round(font.size / 8))


def _fitted(name: str, score: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a name until it fits the picture together with its score."""
    room = width - 1 - 2 * _padding(font)
    if font.getlength(name + score) <= room:
        return name + score
    low, high = 0, len(name)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if font.getlength(name[:middle] + '…' + score) <= room:
            low = middle
        else:
            high = middle - 1
    return name[:low] + '…' + score


def ink_on(color: Color) -> Color:
    """Black or white, whichever reads better on the colour (ITU-R BT.601 luma)."""
    luma = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    return (0, 0, 0) if luma > 140 else (255, 255, 255)


def font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """Letters of a font that has all of the text."""
    return _sized_font(_font_file(frozenset(text) - {' '}), size)


@lru_cache(maxsize=64)
def _sized_font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


@lru_cache(maxsize=256)
def _font_file(letters: frozenset[str]) -> str:
    """A font that has all the letters; DejaVu Sans, matplotlib's own, if none has."""
    from matplotlib import get_data_path

    default = str(Path(get_data_path(), 'fonts', 'ttf', 'DejaVuSans.ttf'))
    if letters <= _letters(default):
        return default
    from matplotlib import font_manager  # scans the system's fonts on first use

    for family in _OTHER_FONTS:
        try:
            path = font_manager.findfont(family, fallback_to_default=False)
        except ValueError:
            continue
        if letters <= _letters(path):
            return path
    return default


@lru_cache(maxsize=32)
def _letters(path: str) -> frozenset[str]:
    from matplotlib.ft2font import FT2Font

    return frozenset(map(chr, FT2Font(path).get_charmap()))
