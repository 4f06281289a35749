"""Phrases of a caption that name what is not there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from glip.text import lexicon as lex

_WORD = re.compile(r"[\w'\u2019]+")
_NEGATORS = frozenset(
    'without lacking excluding except minus sans not never nor neither no'.split()
)
_PAIRS = frozenset({('other', 'than'), ('free', 'of'), ('devoid', 'of')})
_BOARDS = frozenset({'sign', 'signs', 'zone', 'zones'})  # 'no parking sign' is a thing


def affirmed(
    caption: str, phrases: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Part noun phrases into those to be found and those that are ruled out.

    A phrase is ruled out by a word of negation before it ('worker without helmet', 'a
    man not wearing a hat', 'there are no dogs'), and by a neighbour that is ('without
    helmet or vest').

    Args:
        caption: English text.
        phrases: Its noun phrases in order, [begin, end) each.

    Returns:
        What to find, and what not.
    """
    wanted: list[tuple[int, int]] = []
    ruled_out: list[tuple[int, int]] = []
    before, negated = 0, False
    for begin, end in phrases:
        gap = caption[before:begin]
        words = [word.lower() for word in _WORD.findall(gap)]
        own = [word.lower() for word in _WORD.findall(caption[begin:end])]
        negated = (
            _is_negation(words)
            or (own[:1] == ['no'] and own[-1] not in _BOARDS)
            or (negated and _goes_on(gap, words, own))
        )
        (ruled_out if negated else wanted).append((begin, end))
        before = end
    return wanted, ruled_out


def _is_negation(words: Sequence[str]) -> bool:
    """Whether words between two phrases negate the second."""
    if not words:
        return False
    if _negates(words[-1]) or tuple(words[-2:]) in _PAIRS:
        return True
    # 'not wearing', but not 'not smiling beside'
    return (
        len(words) > 1 and _negates(words[-2]) and words[-1] not in lex.FUNCTION_WORDS
    )


def _negates(word: str) -> bool:
    return word in _NEGATORS or word.replace('\u2019', "'").endswith("n't")


def _goes_on(gap: str, words: Sequence[str], own: Sequence[str]) -> bool:
    """Whether a phrase is in one list with the phrase before."""
    if words in (['or'], ['nor'], ['and', 'no'], ['or', 'any']):
        return True
    listed = words == ['and'] or (not words and gap.strip() == ',')
    return listed and own[0] not in lex.DETERMINERS
