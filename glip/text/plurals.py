"""English plurals of nouns."""

from __future__ import annotations

from glip.text.lexicon import PLURALS

_IRREGULAR = {
    'person': 'people',
    'child': 'children',
    'knife': 'knives',
    'mouse': 'mice',
    'goose': 'geese',
    'calf': 'calves',
}
_NO_MEN = {'human', 'ottoman', 'talisman', 'caiman'}
# One and several, or pairs counted as one: the picture decides.
_SAME = {'sheep', 'luggage', 'cattle', 'broccoli', 'aircraft'}
# In the singular, but of several things or of no countable one.
_COLLECTIVE = {
    *('couple', 'group', 'crowd', 'bunch', 'pair', 'team', 'family', 'number', 'lot'),
    *('variety', 'food', 'snow', 'water'),
}


def is_its_own_plural(noun: str) -> bool:
    """Whether a noun, or a name that ends with one, has one form for both numbers.

    Words that are plural already are among them: scissors, skis.
    """
    last = noun.rpartition(' ')[2]
    return last in _SAME or (last.endswith('s') and not last.endswith(('ss', 'us')))


def plural(noun: str) -> str:
    """Plural of a noun or of a name that ends with one."""
    head, _, last = noun.rpartition(' ')
    if is_its_own_plural(last):
        form = last
    elif last in _IRREGULAR:
        form = _IRREGULAR[last]
    elif last.endswith('man') and last not in _NO_MEN:
        form = last[:-3] + 'men'
    elif last.endswith(('s', 'sh', 'ch', 'x')):
        form = last + 'es'
    elif last.endswith('y') and last[-2:-1] not in 'aeiou':
        form = last[:-1] + 'ies'
    else:
        form = last + 's'
    return f'{head} {form}'.strip()


def may_be_several(phrase: str) -> bool:
    """Whether a noun phrase may mean more than one thing, by its last word."""
    last = phrase.lower().rpartition(' ')[2]
    return last in PLURALS or last in _COLLECTIVE or is_its_own_plural(last)
