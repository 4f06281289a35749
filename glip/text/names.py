"""From a class name as a data set writes it to the words a language model reads."""

from __future__ import annotations

import re
import unicodedata

_INNERMOST_BRACKETS = re.compile(r'\([^()]*\)')


def clean_name(name: str) -> str:
    """Class name as it stands in a caption.

    ``(...)`` is dropped, ``_`` becomes a space and runs of spaces become one;
    nothing is trimmed, so ``zebra_(animal)`` gives ``'zebra '``. A name that is
    nothing but brackets keeps its letters: ``(left)`` gives ``left``.

    Source: microsoft/GLIP ``clean_name``, which drops everything from the first to
    the last bracket; here ``a (b) c (d)`` keeps its ``c``.
    """
    bare, count = name, 1
    while count:
        bare, count = _INNERMOST_BRACKETS.subn('', bare)
    if not has_words(bare):
        bare = name.replace('(', '').replace(')', '')
    return re.sub(' {2,}', ' ', bare.replace('_', ' '))


def has_words(text: str) -> bool:
    """Whether anything but spaces, punctuation and invisible characters is there."""
    return any(_is_word_char(char) for char in text)


def _is_word_char(char: str) -> bool:
    if char.isascii():
        return char.isalnum()
    # Letters, digits and symbols (emoji are symbols); not marks on their own,
    # punctuation, spaces, or characters that the tokenizer throws away.
    return unicodedata.category(char)[0] in 'LNS' and char != '\ufffd'
