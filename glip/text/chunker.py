"""Noun phrases by rule: no model, no data to download.

A phrase is a run of determiners, modifiers and nouns. Words that cannot be part of one
(prepositions, pronouns, auxiliaries, punctuation) end it; verbs are told from nouns by
their form and by their neighbours. It knows English captions of pictures, not prose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from unicodedata import category

from glip.text import lexicon as lex
from glip.text.verbs import Spot, is_verb

# Letters and digits of any script, with the marks that hold a word together.
_WORD = re.compile(r"[^\W_]+(?:['\u2019\-/&+.:_#]+[^\W_]+)*(?:\+\+|[#'\u2019](?!\w))?")
_BREAK = re.compile(r'[.,;:!?()\[\]{}"\u201c\u201d|/\n]|--|\u2014')


_LETTER_LIKE = frozenset({'Mn', 'Mc', 'Me', 'So'})


@dataclass
class _Word:
    """A word, what precedes it, and what it is taken for."""

    text: str
    begin: int
    end: int
    gap: str  # the characters between the word before and this one
    low: str = field(init=False)

    def __post_init__(self) -> None:
        self.low = self.text.lower().replace('\u2019', "'")


@dataclass
class _Phrase:
    """The phrase being read."""

    words: list[_Word] = field(default_factory=list)
    nouns: int = 0

    def add(self, word: _Word, *, noun: bool) -> None:
        self.words.append(word)
        self.nouns += noun


def rule_noun_phrases(caption: str) -> list[tuple[int, int]]:
    """Character spans of the noun phrases, in order, never overlapping."""
    words = _words(caption)
    spans: list[tuple[int, int]] = []
    phrase = _Phrase()
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else None
        if following is not None and _BREAK.search(following.gap):
            following = None
        if _BREAK.search(word.gap) and not _adjectives_go_on(phrase, word):
            phrase = _close(phrase, spans)
        role = _role(word, following, phrase, words[i - 1] if i else None)
        if role == 'join':
            phrase.add(word, noun=False)
        elif role == 'break':
            phrase = _close(phrase, spans)
        elif role == 'determiner':
            if phrase.nouns:
                phrase = _close(phrase, spans)
            phrase.add(word, noun=False)
        else:
            phrase.add(word, noun=role == 'noun')
    _close(phrase, spans)
    return spans


def _words(caption: str) -> list[_Word]:
    words, at = [], 0
    # Accents, vowel signs and emoji count as letters.
    shape = ''.join('x' if category(char) in _LETTER_LIKE else char for char in caption)
    for match in _WORD.finditer(shape):
        begin, end = match.span()
        words.append(_Word(caption[begin:end], begin, end, shape[at:begin]))
        at = end
    return words


def _adjectives_go_on(phrase: _Phrase, word: _Word) -> bool:
    """'a big, red ball' is one phrase."""
    return (
        bool(phrase.words)
        and not phrase.nouns
        and word.gap.strip() == ','
        and _is_adjective(word.low)
    )


def _role(
    word: _Word, following: _Word | None, phrase: _Phrase, before: _Word | None
) -> str:
    """One of ``noun``, ``modifier``, ``determiner``, ``join`` and ``break``."""
    low = word.low
    after = following.low if following else ''
    if low in ('and', '&') and _joins_adjectives(phrase, after):
        return 'join'
    if low == 'that' and phrase.nouns:
        return 'break'
    if low in lex.DETERMINERS or low.isdigit():
        # 'one' and 'hundred' after a noun, 'number 5': still the same thing.
        return 'modifier' if low.isdigit() and phrase.nouns else 'determiner'
    if low in lex.INTENSIFIERS and phrase.words and not phrase.nouns:
        return 'modifier'
    if low == 'next' and after == 'to':
        return 'break'
    if low == 'can' and not (after in lex.BASE_VERBS or after in ('be', 'not')):
        return 'noun'
    if low in lex.FUNCTION_WORDS or low in lex.AUXILIARIES:
        return 'break'
    spot = Spot(
        low,
        before=before.low if before else '',
        after=after,
        phrase=tuple(word.low for word in phrase.words),
        nouns=phrase.nouns,
    )
    if is_verb(spot):
        return 'break'
    return 'modifier' if _is_adjective(low) else 'noun'


def _joins_adjectives(phrase: _Phrase, after: str) -> bool:
    """'a black and white dog' is one phrase, 'a cat and a dog' are two."""
    return (
        bool(phrase.words)
        and not phrase.nouns
        and _is_adjective(phrase.words[-1].low)
        and _is_adjective(after)
    )


def _is_adjective(low: str) -> bool:
    if low in lex.ADJECTIVES:
        return True
    head, _, tail = low.rpartition('-')
    return bool(head) and (tail in lex.ADJECTIVES or tail.endswith('ed'))


def _close(phrase: _Phrase, spans: list[tuple[int, int]]) -> _Phrase:
    """Keep the phrase if it names a thing; begin the next one."""
    words = phrase.words
    while words and words[-1].low in lex.DETERMINERS | {'and', '&'}:
        words.pop()
    if names_a_thing([word.low for word in words]):
        spans.append((words[0].begin, words[-1].end))
    return _Phrase()


def names_a_thing(words: list[str]) -> bool:
    """Whether lower-case words name a thing, not only a place, a colour, a number."""
    return any(
        not word.isdigit()
        and word not in lex.DETERMINERS
        and word not in lex.PLACE_NOUNS
        and word not in lex.PICTURE_NOUNS
        and not _is_adjective(word)
        for word in words
    )
