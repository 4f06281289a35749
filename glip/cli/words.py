"""What to look for, as it stands on a command line."""

from __future__ import annotations

import ast
import json
from typing import Any

from glip.errors import PromptError
from glip.runtime.values import single_keys


def read_texts(texts: str | None) -> Any:
    """Turn words of a command line into what a detector takes.

    Raises:
        PromptError: They are missing, or JSON of an unusable kind.
        ConfigError: A prompt stands for two classes.
    """
    if texts is None:
        raise PromptError("say what to find, for example --texts 'bench. car'")
    if not texts.lstrip().startswith(('{', '[')):
        return texts
    try:
        value = json.loads(texts, object_pairs_hook=single_keys)
    except (json.JSONDecodeError, RecursionError) as error:
        if texts.lstrip().startswith('['):
            return texts  # a name may begin with a bracket
        raise PromptError(f'--texts: not a JSON object ({error})') from error
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    if not all(isinstance(part, str) for part in parts):
        raise PromptError(
            '--texts: JSON must be {"prompt text": "class name", ...} or ["name", ...]'
        )
    return value


def read_tokens_positive(text: str | None) -> Any:
    """Turn the --tokens-positive argument into spans.

    Raises:
        PromptError: It is no list of spans.
    """
    if text is None:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise PromptError(
            f'--tokens-positive: {text!r} is not a list of spans such as '
            "'[[[0, 5]], [[9, 12]]]', nor -1"
        ) from error
