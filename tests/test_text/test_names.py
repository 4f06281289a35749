import official
import pytest

from glip.text.names import clean_name, has_words


@pytest.mark.parametrize(
    ('name', 'cleaned'),
    [
        ('person', 'person'),
        ('zebra_(animal)', 'zebra '),
        ('bird_feeder', 'bird feeder'),
        ('a  b', 'a b'),
        ('a     b', 'a b'),
        ('x_(y)_z', 'x z'),
        ('a (b) c (d)', 'a c '),
        ('a (b (c)) d', 'a d'),
        ('half (open', 'half (open'),
        ('(left)', 'left'),
        ('(a) (b)', 'a b'),
        ('C++', 'C++'),
        ('.*[a-z]+$', '.*[a-z]+$'),
    ],
)
def test_clean_name(name, cleaned):
    assert clean_name(name) == cleaned


def test_clean_name_as_recorded_from_the_original():
    for name, cleaned in official.figures('data')['clean_name'].items():
        assert clean_name(name) == cleaned


@pytest.mark.parametrize('text', ['a', '7', 'é', '犬', '🐶', '❤️', '->x'])
def test_has_words(text):
    assert has_words(text)


@pytest.mark.parametrize(
    'text', ['', ' ', '\t\n', '...', '!?', '_', '()', '$@#', '\u200b', '\u0301', '。']
)
def test_has_no_words(text):
    assert not has_words(text)
