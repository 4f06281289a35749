"""Which words go with which picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, TypeVar

from glip.errors import PromptError
from glip.text import TextPrompt, parse_text

# What ``parse_text`` takes.
Text = str | Sequence[str] | dict | TextPrompt
Picture = TypeVar('Picture')


def prompts_of(
    images: Iterable[Any],
    text: Text | None,
    texts: Iterable[Text] | None,
    *,
    custom_entities: bool | None,
    tokens_positive: Any,
) -> Iterable[TextPrompt]:
    """The prompt of each picture.

    Args:
        images: The pictures; counted where that does not read them.
        text: Words for all pictures.
        texts: Instead, words for each picture.
        custom_entities: See :meth:`glip.Detector.__call__`.
        tokens_positive: See :meth:`glip.Detector.__call__`.

    Raises:
        PromptError: The words cannot be used, or are not as many as the pictures.
    """
    if texts is None:
        if text is None:
            raise PromptError("say what to look for, for example text='bench. car'")
        return repeat(
            parse_text(
                text, custom_entities=custom_entities, tokens_positive=tokens_positive
            )
        )
    if text is not None or tokens_positive is not None:
        raise PromptError('texts stands alone: no text or tokens_positive')
    if isinstance(texts, (str, dict, TextPrompt)):
        raise PromptError('texts is one prompt per picture; for all use text')
    if isinstance(images, Sequence):
        texts = list(texts)
        if len(images) != len(texts):
            raise PromptError(
                f'{len(images)} pictures but {len(texts)} texts: give one per picture'
            )
    return (parse_text(each, custom_entities=custom_entities) for each in texts)


def paired(
    images: Iterable[Picture], prompts: Iterable[TextPrompt]
) -> Iterator[tuple[Picture, TextPrompt]]:
    """Pair pictures with prompts, of which there may be any number but too few."""
    prompts = iter(prompts)
    for count, image in enumerate(images):
        try:
            prompt = next(prompts)
        except StopIteration:
            raise PromptError(
                f'more pictures than texts ({count}): give one per picture'
            ) from None
        yield image, prompt
