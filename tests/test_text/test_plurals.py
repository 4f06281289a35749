"""Plurals as people write them."""

import pytest

from glip.text.plurals import is_its_own_plural, plural


@pytest.mark.parametrize(
    ('noun', 'nouns'),
    [
        ('dog', 'dogs'),
        ('berry', 'berries'),
        ('toy', 'toys'),
        ('wine glass', 'wine glasses'),
        ('bus', 'buses'),
        ('bench', 'benches'),
        ('policeman', 'policemen'),
        ('human', 'humans'),
        ('child', 'children'),
        ('scissors', 'scissors'),
        ('sheep', 'sheep'),
    ],
)
def test_plural(noun, nouns):
    assert plural(noun) == nouns


def test_words_of_one_form():
    assert all(map(is_its_own_plural, ('skis', 'jeans', 'two sheep')))
    assert not any(map(is_its_own_plural, ('bus', 'glass', 'dog')))
