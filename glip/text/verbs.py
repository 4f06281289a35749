"""Rules by which the noun phrase chunker tells verbs from nouns in captions.

They are tried in order; the first that matches a word decides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from glip.text import lexicon as lex


class Spot(NamedTuple):
    """A word and what stands around it, all in lower case.

    Attributes:
        word: The word.
        before: The word before it; empty at the beginning of a text.
        after: The word after it; empty at the end of a clause.
        phrase: Words of the phrase that is being read.
        nouns: Nouns among them.
    """

    word: str
    before: str
    after: str
    phrase: tuple[str, ...]
    nouns: int

    @property
    def ends_clause(self) -> bool:
        """No word follows that could belong to the same phrase."""
        return (
            not self.after
            or self.after in lex.FUNCTION_WORDS
            or self.after in lex.DETERMINERS
            or self.after in lex.AUXILIARIES
        )

    @property
    def is_compound(self) -> bool:
        """'swimming pool', 'parking meter'."""
        return self.word in lex.ING_COMPOUNDS and self.after in lex.COMPOUND_HEADS

    @property
    def follows_place(self) -> bool:
        """'the left', 'the top': no noun of a phrase, but something acts there."""
        return bool(self.phrase) and self.phrase[-1] in lex.PLACE_NOUNS

    @property
    def follows_plural(self) -> bool:
        """The phrase so far names several things."""
        last = self.phrase[-1]
        regular = last.endswith('s') and not last.endswith(('ss', 'us'))
        return last in lex.PLURALS or regular

    def has_form(self, ending: str, least: int, nouns: frozenset[str]) -> bool:
        """The word has an ending of verbs, and is none of the nouns that share it."""
        word = self.word
        return word.endswith(ending) and len(word) >= least and word not in nouns


Condition = Callable[[Spot], bool]


class Rule(NamedTuple):
    """When a rule decides on a word, and how.

    Attributes:
        name: What it is about.
        matches: Whether it decides.
        is_verb: Its decision.
        verb: Caption in which it makes the word between stars a verb.
        other: Caption in which it makes it none; empty where that cannot be.
    """

    name: str
    matches: Condition
    is_verb: Condition
    verb: str
    other: str = ''


def _always(spot: Spot) -> bool:
    return True


def _third_person(spot: Spot) -> bool:
    if not spot.after and spot.word in lex.NOUNS_LIKE_VERBS:
        return spot.phrase[0] in lex.SINGULAR_DETERMINERS
    return spot.ends_clause or not spot.follows_plural


RULES = (
    Rule(
        'request that begins the text',
        lambda s: (
            not s.before
            and s.word in lex.REQUESTS
            and s.after in lex.DETERMINERS | {'me', 'for'}
        ),
        _always,
        verb='*find* all raccoons',
    ),
    Rule(
        'participle after an auxiliary',
        lambda s: (
            not s.phrase
            and s.before in lex.AUXILIARIES
            and s.word.endswith(('ing', 'ed'))
        ),
        lambda s: not s.is_compound,
        verb='two men are *playing* soccer',
        other='there are *parking* meters on the street',
    ),
    Rule(
        'word after a modal or a relative pronoun',
        lambda s: (
            not s.phrase
            and (s.before in lex.MODALS or s.before in ('who', 'which', 'that'))
        ),
        _always,
        verb='the boy who *juggles* balls',
    ),
    Rule(
        'infinitive',
        lambda s: not s.phrase and s.before == 'to' and s.word in lex.BASE_VERBS,
        _always,
        verb='people waiting to *cross* the street',
    ),
    Rule(
        'word in -ing',
        lambda s: s.has_form('ing', 5, lex.ING_NOUNS),
        lambda s: (
            not s.is_compound and bool(s.nouns or s.follows_place or s.ends_clause)
        ),
        verb='the person on the left *wearing* glasses',
        other='beside the *swimming* pool',
    ),
    Rule(
        'word in -ed',
        lambda s: s.has_form('ed', 4, lex.ED_NOUNS),
        lambda s: s.ends_clause and s.word not in lex.ADJECTIVES,
        verb='a bird *perched* on a branch',
        other='a *colored* bird',
    ),
    Rule(
        'adverb',
        lambda s: s.has_form('ly', 4, lex.LY_NOUNS),
        lambda s: bool(s.ends_clause or s.nouns or not s.phrase),
        verb='a man *happily* eats',
        other='a *brightly* colored bird',
    ),
    Rule(
        "inflected verb after 'and' or an adverb",
        lambda s: not s.nouns,
        lambda s: (
            not s.phrase
            and (s.word in lex.THIRD_PERSON or s.word in lex.PAST_VERBS)
            and s.after in lex.DETERMINERS
        ),
        verb='a man jumps and *throws* a ball',
        other='a small *dog*',
    ),
    Rule(
        'word that is never a thing',
        lambda s: s.word in lex.PURE_VERBS or s.word in lex.PAST_VERBS - lex.ADJECTIVES,
        _always,
        verb='some bread and tea *sit* on the table',
    ),
    Rule(
        'third person',
        lambda s: s.word in lex.THIRD_PERSON,
        _third_person,
        verb='the man *rides* a horse',
        other='two bus *stops*',
    ),
    Rule(
        'base form after what does it',
        lambda s: s.word in lex.BASE_VERBS,
        lambda s: s.follows_plural,
        verb='two dogs *run* across the field',
        other='a baseball *play*',
    ),
    Rule(
        "unknown word in -s between a noun and 'the'",
        lambda s: s.word.endswith('s') and s.after in lex.DETERMINERS,
        lambda s: not s.follows_plural,
        verb='a man *juggles* the balls',
        other='two dogs *cats* the same size',
    ),
)


def deciding_rule(spot: Spot) -> Rule | None:
    """The rule that decides on a word, None where nothing speaks for a verb."""
    return next((rule for rule in RULES if rule.matches(spot)), None)


def is_verb(spot: Spot) -> bool:
    """Whether a word says what something does, seen from where it stands."""
    rule = deciding_rule(spot)
    return rule is not None and rule.is_verb(spot)
