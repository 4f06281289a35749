"""What user-given words and spans must be; each failure says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any

from glip.errors import PromptError
from glip.text.names import has_words

Span = tuple[int, int]


def check_text(text: object, what: str) -> None:
    """Raise PromptError unless it is a string that a tokenizer can read."""
    if not isinstance(text, str):
        raise PromptError(f'{what} is {type(text).__name__} {text!r:.60}, not text')
    if any('\ud800' <= char <= '\udfff' for char in text):
        raise PromptError(f'{what} is {text!r:.60}, which is not valid unicode')


def check_words(text: object, what: str) -> None:
    """Raise PromptError unless it is text with at least one word in it."""
    check_text(text, what)
    if not has_words(str(text)):
        raise PromptError(
            f'{what} is {text!r:.60}, which has no word in it; name a thing to find'
        )


def checked_spans(
    caption: str, tokens_positive: object
) -> tuple[tuple[Span, ...], ...]:
    """Spans of ``tokens_positive`` as :meth:`TextPrompt.from_spans` takes it.

    Raises:
        PromptError: They are malformed, empty, blank, or outside the caption.
    """
    shape = 'expected -1 or a list of entities, each a list of [begin, end]'
    if isinstance(tokens_positive, Mapping):
        try:
            by_label = {int(key): value for key, value in tokens_positive.items()}
        except (TypeError, ValueError):
            by_label = {}
        if sorted(by_label) != list(range(len(tokens_positive))):
            raise PromptError('tokens_positive as a mapping needs the keys 0, 1, ...')
        tokens_positive = [by_label[key] for key in sorted(by_label)]
    if not isinstance(tokens_positive, (list, tuple)) or not tokens_positive:
        raise PromptError(f'tokens_positive is {tokens_positive!r:.60}; {shape}')
    entities = []
    for number, entity in enumerate(tokens_positive):
        if not isinstance(entity, (list, tuple)) or not entity:
            raise PromptError(
                f'entity {number} of tokens_positive is {entity!r:.60}; {shape}'
            )
        entities.append(
            tuple(_checked_span(caption, span, number, shape) for span in entity)
        )
    return tuple(entities)


def _checked_span(caption: str, span: Any, number: int, shape: str) -> Span:
    try:
        begin, end = span
        begin, end = index(begin), index(end)
    except (TypeError, ValueError):
        raise PromptError(
            f'entity {number} of tokens_positive holds {span!r:.60}; {shape}'
        ) from None
    if not 0 <= begin < end <= len(caption):
        raise PromptError(
            f'span [{begin}, {end}] of entity {number} does not lie in the caption of '
            f'{len(caption)} characters (begin < end is needed)'
        )
    if not caption[begin:end].strip():
        raise PromptError(
            f'span [{begin}, {end}] of entity {number} covers only spaces'
        )
    return begin, end
