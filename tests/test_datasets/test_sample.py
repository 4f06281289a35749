"""Samples: what is kept of an annotation, and that nothing is lost uncounted."""

import pytest

from glip.datasets import DetectionSample, GroundingSample, Phrase
from glip.datasets.sample import Dropped
from glip.errors import DatasetError

PLACE = {'file_name': 'a.jpg', 'width': 64, 'height': 48, 'where': 'line 3'}


def grounded(*phrases, caption='a cat and a dog', **kwargs):
    dropped = Dropped('f.jsonl')
    sample = GroundingSample.checked(
        **PLACE | kwargs, caption=caption, phrases=phrases, dropped=dropped
    )
    return sample, dropped


def test_good_phrases_are_kept_and_nothing_counted():
    phrase = Phrase(((2, 5),), ((1, 2, 30, 40), (-3, 0, 70, 48)), (0.5, 0.25))
    sample, dropped = grounded(phrase, image_id=9)
    assert sample.phrases == (
        Phrase(((2, 5),), ((1, 2, 30, 40), (0, 0, 64, 48)), (0.5, 0.25)),
    )
    assert sample.image_id == 9 and hash(sample)
    assert not dropped.counts and list(dropped.changes.values()) == [1]  # cut


@pytest.mark.parametrize(
    ('spans', 'kept', 'reason'),
    [
        (((2, 5), (10, 99)), ((2, 5),), 'beyond the caption (line 3: [10, 99) of 15'),
        (((-1, 5), (2, 5)), ((2, 5),), 'beyond the caption'),
        (((5, 5), (2, 5)), ((2, 5),), 'empty spans (line 3: [5, 5))'),
        (((1, 2), (2, 5)), ((2, 5),), 'empty spans'),
        (((5, 2), (2, 5)), ((2, 5),), 'empty spans'),
        ((('x', 5), (2, 5)), ((2, 5),), 'not two whole numbers'),
        (((2, 5, 6), (2, 5)), ((2, 5),), 'not two whole numbers'),
        ((7, (2, 5)), ((2, 5),), 'not two whole numbers'),
    ],
)
def test_bad_spans_are_left_out_and_counted(spans, kept, reason):
    sample, dropped = grounded(Phrase(spans, ((0, 0, 9, 9),)))
    assert sample.phrases[0].spans == kept
    assert sum(dropped.counts.values()) == 1
    assert reason in dropped.summary()


@pytest.mark.parametrize(
    ('box', 'reason'),
    [
        ((9, 1, 3, 5), 'without size or inverted'),
        ((3, 5, 9, 5), 'without size or inverted'),
        ((70, 1, 90, 9), 'outside their picture'),
        ((-9, 1, 0.5, 9), 'outside their picture'),
        ((1, 1, float('nan'), 9), 'not four finite numbers'),
        ((1, 1, float('inf'), 9), 'not four finite numbers'),
        ((1, 1, None, 9), 'not four finite numbers'),
        ((1, 1, True, 9), 'not four finite numbers'),
        ((1, 1, 9), 'not four finite numbers'),
        (None, 'not four finite numbers'),
    ],
)
def test_bad_boxes_are_left_out_and_counted(box, reason):
    good = (0, 0, 9, 9)
    sample, dropped = grounded(Phrase(((2, 5),), (box, good), (0.1, 0.9)))
    assert sample.phrases == (Phrase(((2, 5),), (good,), (0.9,)),)
    assert list(dropped.counts.values()) == [1] and reason in dropped.summary()

    dropped = Dropped('f.jsonl')
    sample = DetectionSample.checked(
        **PLACE, boxes=[box, good], labels=[4, 5], ignored=[1, 1], dropped=dropped
    )
    assert (sample.boxes, sample.labels, sample.ignored) == ((good,), (5,), (1,))
    assert reason in dropped.summary()


def test_phrases_without_words_or_boxes_are_counted():
    nowhere = Phrase(((2, 5),), ())
    sample, dropped = grounded(nowhere, Phrase(((20, 25),), ((0, 0, 9, 9),)))
    assert sample.phrases == ()
    assert dropped.counts['phrases left without words or boxes'] == 2
    sample, dropped = grounded(nowhere, keep_boxless=True)
    assert sample.phrases == (nowhere,) and not dropped


@pytest.mark.parametrize('caption', [None, 3, ['a cat']])
def test_no_caption_is_an_error(caption):
    with pytest.raises(DatasetError, match=r'^f\.jsonl, line 3: no caption'):
        grounded(caption=caption)


@pytest.mark.parametrize('width', [0, -1, None, '64', float('nan'), float('inf'), True])
def test_no_size_is_an_error(width):
    with pytest.raises(DatasetError, match=r'line 3: the picture has the size'):
        grounded(width=width)


def test_summary_is_one_line_with_the_first_places():
    dropped = Dropped('f.jsonl')
    assert not dropped and dropped.summary() == 'f.jsonl: left out nothing'
    for line in range(1, 8):
        dropped.add('boxes', f'line {line}')
    dropped.add('spans', 'line 9', 2)
    assert dropped.summary() == (
        'f.jsonl: left out 7 boxes (line 1, line 2, line 3, line 4, ...); '
        '2 spans (line 9, ...)'
    )
