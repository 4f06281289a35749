"""Labels stay in the picture and can be told apart; sizes of every kind work."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from glip.visualization import drawing
from glip.visualization.drawing import PALETTES, class_colors, draw_detections

GRAY = (128, 128, 128)


def draw(size, boxes, *, scores=None, labels=None, names=None, **options) -> np.ndarray:
    count = len(boxes)
    image = Image.new('RGB', size, GRAY)
    draw_detections(
        image,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.4, count) if scores is None else np.array(scores),
        np.zeros(count, int) if labels is None else np.array(labels),
        ['thing'] * count if names is None else names,
        **options,
    )
    return np.asarray(image)


@pytest.mark.parametrize('size', [(1, 1), (3, 200), (40, 30), (640, 480), (5000, 3000)])
def test_every_size(size):
    width, height = size
    drawn = draw(size, [[0, 0, width, height], [width / 3, height / 3, width, height]])
    assert drawn.shape == (height, width, 3)
    assert (drawn != 128).any()


def test_lines_lie_on_the_box():
    drawn = draw((200, 100), [[50, 40, 150, 90]])
    color = np.array(class_colors('none', 1)[0])
    assert (drawn[40:90, 50] == color).all() and (drawn[40:90, 149] == color).all()
    assert (drawn[89, 50:150] == color).all()
    assert (drawn[91:] == 128).all() and (drawn[:, 151:] == 128).all()


def test_nothing_to_draw():
    assert (draw((20, 10), []) == 128).all()


@pytest.mark.parametrize(
    'name', ['x', 'long ' * 200, 'line\nbreak\ttab', '浣熊', '🦝', '']
)
@pytest.mark.parametrize(
    'box', [[0, 0, 5, 5], [395, 295, 400, 300], [-9, -9, 900, 900]]
)
def test_labels_lie_inside(monkeypatch, name, box):
    rects = []
    place = drawing._place
    monkeypatch.setattr(
        drawing, '_place', lambda *args: rects.append(place(*args)) or rects[-1]
    )
    draw((400, 300), [box], names=[name])
    left, top, right, bottom = rects[0]
    assert 0 <= left < right <= 399 and 0 <= top < bottom <= 299


def test_labels_of_neighbours_do_not_hide_each_other(monkeypatch):
    rects = []
    place = drawing._place
    monkeypatch.setattr(
        drawing, '_place', lambda *args: rects.append(place(*args)) or rects[-1]
    )
    draw((640, 480), [[100, 100, 300, 300], [102, 101, 305, 299], [99, 98, 301, 302]])
    pairs = [(a, b) for i, a in enumerate(rects) for b in rects[:i]]
    assert not any(drawing._shared_area(a, b) for a, b in pairs)


def test_letters_grow_with_the_picture():
    def label_area(size):
        drawn = draw(size, [[size[0] // 2, size[1] // 2, size[0] - 1, size[1] - 1]])
        above = drawn[: size[1] // 2 - size[1] // 100]
        return (above != 128).any(axis=2).sum() / above[..., 0].size

    small, large = label_area((640, 480)), label_area((6400, 4800))
    assert large == pytest.approx(small, rel=0.25)


@pytest.mark.parametrize('palette', PALETTES)
def test_palettes_give_each_class_one_colour(palette):
    colors = class_colors(palette, 12)
    assert len(set(colors[:12])) == min(12, len(colors))
    for color in colors:
        assert len(color) == 3 and 0 <= min(color) <= max(color) <= 255
    boxes = [[10 * i, 50, 10 * i + 8, 58] for i in range(12)]
    draw((200, 100), boxes, labels=[700 + i for i in range(12)], palette=palette)


def test_unknown_palette():
    with pytest.raises(ValueError, match='coco, voc'):
        class_colors('pink', 1)


def test_fifty_tags_do_not_cover_each_other():
    rng = np.random.default_rng(1)
    corners = rng.uniform(0, 0.8, (50, 2))
    sides = rng.uniform(0.03, 0.2, (50, 2))
    boxes = np.concatenate([corners, corners + sides], 1) * [640, 480, 640, 480]
    tags = drawing.place_tags(
        list(boxes), [('traffic light', ' 0.50')] * 50, (640, 480)
    )
    rects = [tag.rect for tag in tags]
    shared = [
        drawing._shared_area(a, b) for i, a in enumerate(rects) for b in rects[:i]
    ]
    assert sum(area > 0 for area in shared) <= 2
    assert all(tag.text == 'traffic light 0.50' for tag in tags)
