"""A caption, its phrases and their boxes as one thing."""

import numpy as np
import pytest

from glip.errors import DatasetError, PromptError
from glip.visualization.picture import render, render_beside
from glip.visualization.scene import make_scene, phrase_colors, segments

IMAGE = np.full((40, 60, 3), 200, dtype=np.uint8)
CAPTION = 'a dog and the red car'
SPANS = [[[0, 5]], [[10, 21]], [[14, 17]]]


def scene(**changes):
    fields = dict(text=CAPTION, tokens_positive=SPANS)
    boxes, labels = [[1, 2, 30, 20], [5, 5, 50, 39]], [0, 1]
    return make_scene(IMAGE, boxes, labels, **fields | changes)


def test_spans_are_phrases():
    made = scene()
    assert made.size == (60, 40) and made.caption == CAPTION
    assert made.phrases == (((0, 5),), ((10, 21),), ((14, 17),))
    assert made.counts() == {0: 1, 1: 1}


def test_classes_are_phrases():
    made = scene(text=('dog', 'red_car', 'dog'), tokens_positive=None)
    assert made.caption == 'dog. red car'
    assert made.names == ('dog', 'red_car', 'dog')
    assert made.phrases == (((0, 3),), ((5, 12),), ((0, 3),))


def test_boxes_to_ignore_count_nothing():
    assert scene(ignored=[True, False]).counts() == {1: 1}


def test_without_text_names_stand():
    made = scene(text=None, tokens_positive=None, names=('dog',))
    assert made.caption == '' and made.names == ('dog', 'label 1')


def test_bad_input():
    with pytest.raises(DatasetError, match='label 1 but the prompt has 1 phrases'):
        scene(text=('dog',), tokens_positive=None)
    with pytest.raises(PromptError):
        scene(text='')


def test_segments_say_whose_words_they_are():
    cut = segments(CAPTION, scene().phrases, {0, 2})
    assert ''.join(part.text for part in cut) == CAPTION
    assert [(part.text, part.labels, part.absent) for part in cut] == [
        ('a dog', (0,), False),
        (' and ', (), False),
        ('the ', (), True),
        ('red', (2,), False),
        (' car', (), True),
    ]


def colors_in(image) -> set[tuple[int, int, int]]:
    return set(map(tuple, np.asarray(image).reshape(-1, 3).tolist()))


def test_a_phrase_has_the_colour_of_its_boxes():
    one, other = phrase_colors([0, 1]).values()
    assert one != other
    assert {one, other} <= colors_in(render(scene()))
    drawn = render(scene(ignored=[False, True]))
    assert drawn.size[0] >= 480  # small pictures are enlarged for their tags
    assert phrase_colors([0])[0] in colors_in(drawn)


def test_the_picture_is_left_as_it_was():
    render(scene())
    assert (IMAGE == 200).all()


def test_beside_each_other():
    alone = render(scene(), title='x.jpg')
    two = render_beside([('annotated', scene()), ('found', scene())], title='x.jpg')
    assert two.width >= 2 * 480 > alone.width
    empty = make_scene(IMAGE, [], [], text=CAPTION, tokens_positive=SPANS)
    assert render_beside([('found', empty)]).size[1] > 40


def test_of_many_classes_those_with_boxes_are_shown():
    names = [f'thing {number}' for number in range(5000)]
    shown = make_scene(IMAGE, [[0, 0, 4, 4]], [4321], text=names)
    begin, end = shown.phrases[4321][0]
    assert (
        shown.caption[begin:end] == 'thing 4321' and shown.names[4321] == 'thing 4321'
    )
    assert shown.caption.endswith('and 2999 more') and not shown.phrases[4320]
