"""Scenes as image files: boxes in the picture, the caption in a margin below."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from glip.visualization.drawing import (
    Color,
    draw_boxes,
    font_for,
    font_size,
    ink_on,
)
from glip.visualization.scene import Scene, Segment, phrase_colors, segments

PAPER = (255, 255, 255)
WORDS = (50, 50, 50)
ABSENT = (160, 160, 160)

_SMALLEST = 480  # pixels of the longer side that tags need to be read
_NARROWEST = 400  # pixels that a caption needs
_LONG_RUN = 90  # characters without a box that are shown in full
_KEPT = 36  # characters shown before and after a gap
_TAG_SHARE = 0.45  # of the picture's width


def draw_scene(scene: Scene, colors: Mapping[int, Color]) -> Image.Image:
    """The picture with its boxes, the smallest on top and those to ignore below.

    Args:
        scene: What to draw.
        colors: Of the labels that have boxes.
    """
    image = Image.fromarray(np.ascontiguousarray(scene.image)).convert('RGB')
    order = drawing_order(scene)
    return draw_boxes(
        image,
        scene.boxes[order],
        [tag_words(scene, i) for i in order],
        [ABSENT if scene.ignored[i] else colors[int(scene.labels[i])] for i in order],
        share=_TAG_SHARE,
    )


def drawing_order(scene: Scene) -> list[int]:
    """Boxes from the one on top to the lowest."""
    sizes = (scene.boxes[:, 2:] - scene.boxes[:, :2]).clip(min=0).prod(axis=1)
    if scene.scores is not None:
        return np.argsort(-scene.scores, kind='stable').tolist()
    return np.lexsort((sizes, scene.ignored)).tolist()


def tag_words(scene: Scene, index: int) -> tuple[str, str]:
    """What stands beside a box: words that may be cut, and what follows them."""
    end = '' if scene.scores is None else f' {scene.scores[index]:.2f}'
    if scene.ignored[index]:
        end += ' (ignored)'
    return scene.names[int(scene.labels[index])], end


def render(scene: Scene, *, title: str = '') -> Image.Image:
    """Picture, caption and title as one image."""
    return render_beside([('', scene)], title=title)


def render_beside(
    parts: Sequence[tuple[str, Scene]], *, title: str = ''
) -> Image.Image:
    """Pictures of one caption side by side, with the caption below.

    Args:
        parts: Heading and scene; a phrase has the same colour in all.
        title: Written in small letters at the bottom.
    """
    scenes = [scene.enlarged(_SMALLEST) for _, scene in parts]
    shown = {label for scene in scenes for label in scene.counts()}
    colors = phrase_colors(shown)
    letters = max(12, font_size(scenes[0].size))
    columns = []
    for (heading, _), scene in zip(parts, scenes, strict=True):
        drawn = draw_scene(scene, colors)
        if heading:
            strip = _strip([Segment(heading, (), False)], {}, drawn.width, letters)
            drawn = stack([strip, drawn])
        columns.append(drawn)
    joined = stack(columns, across=True)
    width = max(joined.width, _NARROWEST)
    below = []
    if scenes[0].caption:
        cut = segments(scenes[0].caption, scenes[0].phrases, colors)
        below.append(_strip(_without_long_runs(cut), colors, width, letters))
    if title:
        small = max(11, round(letters * 0.8))
        below.append(_strip([Segment(title, (), True)], {}, width, small))
    return stack([joined, *below])


def stack(images: Sequence[Image.Image], *, across: bool = False) -> Image.Image:
    """Images below each other, or ``across`` side by side, on white."""
    if len(images) == 1:
        return images[0]
    gap = 4 if across else 0
    sizes = np.array([image.size for image in images])
    total, most = sizes.sum(axis=0) + gap * (len(images) - 1), sizes.max(axis=0)
    size = (total[0], most[1]) if across else (most[0], total[1])
    canvas = Image.new('RGB', (int(size[0]), int(size[1])), PAPER)
    at = 0
    for image in images:
        canvas.paste(image, (at, 0) if across else (0, at))
        at += (image.width if across else image.height) + gap
    return canvas


def _without_long_runs(cut: Sequence[Segment]) -> list[Segment]:
    """Leave out the middle of long stretches in which nothing has a box."""
    shortened: list[Segment] = []
    for has_boxes, group in groupby(cut, key=lambda segment: bool(segment.labels)):
        run = list(group)
        shortened += run if has_boxes else _shortened(run)
    return shortened


def _shortened(run: Sequence[Segment]) -> Sequence[Segment]:
    """The beginning and the end of a long run, in whole words."""
    letters = [(letter, s.absent) for s in run for letter in s.text]
    if len(letters) <= _LONG_RUN:
        return run
    text = ''.join(letter for letter, _ in letters)
    first = _whole_words(text, _KEPT)
    last = len(text) - _whole_words(text[::-1], _KEPT)
    return [
        *_regrouped(letters[:first]),
        Segment('…', (), False),
        *_regrouped(letters[last:]),
    ]


def _whole_words(text: str, count: int) -> int:
    """At most ``count`` letters that end with a whole word."""
    is_whole = not text[count : count + 1].strip()
    return count if is_whole else len(re.sub(r'\S+$', '', text[:count]))


def _regrouped(letters: Sequence[tuple[str, bool]]) -> Iterator[Segment]:
    """Letters as segments; those of phrases without boxes apart."""
    for absent, group in groupby(letters, key=itemgetter(1)):
        yield Segment(''.join(letter for letter, _ in group), (), absent)


def _strip(
    cut: Sequence[Segment], colors: Mapping[int, Color], width: int, letters: int
) -> Image.Image:
    """Text on white, wrapped at the width, words with boxes in their colours."""
    pad = max(3, letters // 3)
    pieces = [
        (piece, segment)
        for segment in cut
        for piece in re.findall(r'\s|[^\s]+', segment.text)
    ]
    lines = _wrapped(pieces, width - 2 * pad, letters)
    ascent, descent = font_for('x', letters).getmetrics()
    high = ascent + descent
    step = high + max(3, letters // 3)
    image = Image.new('RGB', (width, 2 * pad + step * len(lines)), PAPER)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        x, y = float(pad), pad + number * step
        for text, segment, font in line:
            end = x + font.getlength(text)
            ink = ABSENT if segment.absent else WORDS
            if segment.labels:
                first, *others = (colors[label] for label in segment.labels)
                ink = ink_on(first)
                draw.rectangle((x, y, end, y + high), fill=first)
                for i, color in enumerate(others[:2]):
                    top = y + high - 3 * (i + 1) + 2
                    draw.rectangle((x, top, end, top + 2), fill=color)
            draw.text((x, y), text, font=font, fill=ink, anchor='la')
            x = end
    return image


_Piece = tuple[str, Segment, ImageFont.FreeTypeFont]


def _wrapped(
    pieces: Sequence[tuple[str, Segment]], room: int, letters: int
) -> list[list[_Piece]]:
    """Lines that are broken at blanks, or anywhere in words too long for a line."""
    lines: list[list[_Piece]] = [[]]
    used = 0.0
    for word in _words_of(pieces):
        sized = [(text, segment, font_for(text, letters)) for text, segment in word]
        length = sum(font.getlength(text) for text, _, font in sized)
        if used and used + length > room:
            lines.append([])
            used = 0.0
        if not used and word[0][0].isspace():
            continue
        if length > room:
            sized = [(letter, *rest) for text, *rest in sized for letter in text]
        for text, segment, font in sized:
            length = font.getlength(text)
            if used and used + length > room:
                lines.append([])
                used = 0.0
            lines[-1].append((text, segment, font))
            used += length
    return lines


def _words_of(pieces: Iterable[tuple[str, Segment]]) -> Iterator[list]:
    """Pieces that no blank stands between belong together."""
    for is_blank, group in groupby(pieces, key=lambda piece: piece[0].isspace()):
        if is_blank:
            yield from ([(' ', segment)] for _, segment in group)
        else:
            yield list(group)
