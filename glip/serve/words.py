"""Words of a request, within the limits."""

from __future__ import annotations

from glip.serve.limits import Limits
from glip.serve.refusals import Refusal
from glip.text import TextPrompt, parse_text

Words = str | list[str] | dict[str, str]


def read_words(
    words: Words | None, limits: Limits, usual: TextPrompt | None
) -> TextPrompt:
    """The prompt of a request.

    Args:
        words: Of the request.
        limits: On classes and characters.
        usual: What the server looks for where a request has no words.

    Raises:
        Refusal: There are none, or too many.
        PromptError: They cannot be used.
    """
    if words is None:
        if usual is None:
            raise Refusal("say what to look for, for example text='person. dog'")
        return usual
    if isinstance(words, str):
        count, characters = 1, len(words)
    else:
        parts = [*words, *words.values()] if isinstance(words, dict) else words
        count, characters = len(words), sum(map(len, parts))
    if characters > limits.characters:
        raise Refusal(
            f'the words have {characters} characters, of which {limits.characters} are '
            'allowed'
        )
    _check_count(count, limits)
    prompt = parse_text(words)
    _check_count(len(prompt.names), limits)
    return prompt


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.classes:
        raise Refusal(
            f'{count} names are asked for, of which {limits.classes} are allowed; send '
            'several requests'
        )
