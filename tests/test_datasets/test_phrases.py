"""Words of a caption as characters of it."""

import pytest

from glip.datasets import Phrase
from glip.datasets.phrases import find_phrases, merge_phrases

CAPTION = 'A dog chases a dog, a hot dog. The dogs like C++ books.'


@pytest.mark.parametrize(
    ('asked', 'found'),
    [
        (['A dog'], [((0, 5),)]),
        (['a dog', 'a dog'], [((0, 5),), ((13, 18),)]),  # two things
        (['A dog', 'a dog'], [((0, 5),), ((13, 18),)]),
        (['a dog'], [((13, 18),)]),
        (['hot dog', 'hot dog'], [((22, 29),)] * 2),  # the caption has one
        (['dogs'], [((35, 39),)]),  # whole words
        (['C++'], [((45, 48),)]),
        (['THE DOGS'], [((31, 39),)]),
        (['cat', ''], [(), ()]),
        ([['dogs', 'books']], [((35, 39), (49, 54))]),
        ([['dogs', 'cat']], [((35, 39),)]),
        ([[[0, 5], [13, 18]]], [([0, 5], [13, 18])]),
        ([[0, 5]], [([0, 5],)]),  # one span instead of a list of them
        ([None, 7, []], [(), (), ()]),
    ],
)
def test_words_and_spans_become_spans(asked, found):
    assert find_phrases(CAPTION, asked) == found


def test_a_place_inside_another_phrase_is_the_last_choice():
    spans = find_phrases('a hot dog and a dog', ['hot dog', 'dog'])
    assert spans == [((2, 9),), ((16, 19),)]


def test_same_characters_are_one_phrase():
    first = Phrase(((0, 5),), ((0, 0, 1, 1),), (0.5,))
    other = Phrase(((13, 18),), ((0, 0, 2, 2),))
    more = Phrase(((0, 5),), ((0, 0, 3, 3),), (0.25,))
    merged = merge_phrases([first, other, more])
    assert merged == (
        Phrase(((0, 5),), ((0, 0, 1, 1), (0, 0, 3, 3)), (0.5, 0.25)),
        other,
    )
    unscored = Phrase(((0, 5),), ((0, 0, 4, 4),))
    assert merge_phrases([first, unscored])[0].scores == ()
