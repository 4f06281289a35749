"""The words that data samples bring along."""

from __future__ import annotations

from typing import Any

from glip.errors import PromptError
from glip.text import TextPrompt, parse_text


def prompt_of(sample: Any) -> TextPrompt:
    """The words of a data sample.

    Raises:
        PromptError: They are missing, or cannot be used.
    """
    text = sample.get('text')
    if text is None:
        raise PromptError(
            f'{sample.get("img_path", "the picture")} comes without text: set '
            "return_classes=True in its data set and keep 'text' in the meta_keys "
            'of PackDetInputs'
        )
    return parse_text(
        text,
        custom_entities=sample.get('custom_entities') or None,
        tokens_positive=sample.get('tokens_positive'),
        caption_prompt=sample.get('caption_prompt'),
    )
