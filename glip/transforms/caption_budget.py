"""Captions that are longer than a language model reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from glip.text import Tokenizer

Spans = tuple[tuple[int, int], ...]


class FittingCaption(NamedTuple):
    """A caption within the budget.

    Attributes:
        caption: The whole one or its beginning.
        spans: Entity -> its characters; only entities that are still there.
        entities: Their numbers in the caption as it was.
    """

    caption: str
    spans: tuple[Spans, ...]
    entities: tuple[int, ...]


def fit_caption(
    caption: str,
    tokens_positive: Sequence[Sequence[Sequence[int]]],
    *,
    tokenizer: Tokenizer,
    max_tokens: int,
) -> FittingCaption:
    """Cut a caption between two words where it is over the budget.

    Spans behind or across the cut are left out, and entities that have none left.

    Args:
        caption: As the spans count its characters.
        tokens_positive: Entity -> its (begin, end).
        tokenizer: Whose tokens count.
        max_tokens: Budget, ``[CLS]`` and ``[SEP]`` included.
    """
    end = _end(caption, tokenizer, max(max_tokens - 2, 0))
    spans, entities = [], []
    for entity, given in enumerate(tokens_positive):
        left = tuple((int(b), int(e)) for b, e in given if e <= end)
        if left:
            spans.append(left)
            entities.append(entity)
    return FittingCaption(caption[:end], tuple(spans), tuple(entities))


def _end(caption: str, tokenizer: Tokenizer, room: int) -> int:
    """Where the part that fits ends."""
    ids, offsets = tokenizer.tokenize(caption)
    if len(ids) <= room:
        return len(caption)
    for count in range(room, 0, -1):
        if not tokenizer.decode(ids[count : count + 1]).startswith('##'):
            return offsets[count][0]
    return offsets[room][0]  # within the first word, as there is nothing before it
