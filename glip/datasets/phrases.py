"""From words to characters of a caption, and boxes of the same words together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from glip.datasets.sample import Phrase, Span


def find_phrases(caption: str, asked: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Spans of phrases that are given as spans or as words.

    Words are looked for whole, as written where the caption has them so often, else
    in any case. Each takes the first place that no other has, so that equal words are
    different things as far as the caption says them more than once.

    Args:
        caption: The sentence.
        asked: Per phrase its spans, one span, its words, or several words.

    Returns:
        Per phrase its spans, unchecked where they were given; none for words that are
        not in the caption.
    """
    asked = [[one] if isinstance(one, str) else one for one in asked]
    counts = Counter(
        words.strip()
        for one in asked
        if isinstance(one, (list, tuple))
        for words in one
        if isinstance(words, str)
    )
    taken: list[Span] = []
    matches: list[tuple[Any, ...]] = []
    for one in asked:
        if not isinstance(one, (list, tuple)) or not one:
            matches.append(())
        elif all(isinstance(words, str) for words in one):
            spans = [
                _find(caption, words.strip(), counts[words.strip()], taken)
                for words in one
            ]
            matches.append(tuple(span for span in spans if span is not None))
        elif all(isinstance(span, (list, tuple)) for span in one):
            matches.append(tuple(one))
        else:
            matches.append((one,))
    return matches


def merge_phrases(phrases: Iterable[Phrase]) -> tuple[Phrase, ...]:
    """Phrases of exactly the same characters as one, in order of appearance."""
    merged: dict[tuple[Span, ...], Phrase] = {}
    for phrase in phrases:
        same = merged.get(phrase.spans)
        if same is not None:
            scored = bool(same.scores and phrase.scores)
            phrase = Phrase(
                phrase.spans,
                same.boxes + phrase.boxes,
                same.scores + phrase.scores if scored else (),
                tuple(dict.fromkeys(same.types + phrase.types)),
            )
        merged[phrase.spans] = phrase
    return tuple(merged.values())


def _find(caption: str, words: str, times: int, taken: list[Span]) -> Span | None:
    """A place of the words, noted as taken."""
    if not words:
        return None
    pattern = rf'(?<!\w){re.escape(words)}(?!\w)'
    places = [match.span() for match in re.finditer(pattern, caption)]
    if len(places) < times:
        matches = re.finditer(pattern, caption, re.IGNORECASE)
        places = [match.span() for match in matches]
    if not places:
        return None
    free = (p for p in places if all(p[1] <= b or p[0] >= e for b, e in taken))
    span = next(free, places[0])
    taken.append(span)
    return span
