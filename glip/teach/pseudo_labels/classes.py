"""Class names as a command line gives them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from glip.errors import ConfigError
from glip.runtime.values import single_keys


def read_classes(given: Sequence[str]) -> list[str] | dict[str, str]:
    """Names, or {prompt: class}.

    Args:
        given: Names; or one file of names, a line each or as JSON; or JSON itself.

    Raises:
        ConfigError: The file or the JSON holds something else.
    """
    if len(given) != 1:
        return list(given)
    (text,) = given
    if os.path.isfile(text):
        try:
            with open(text, encoding='utf-8-sig') as file:
                content = file.read()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f'{text}: class names cannot be read ({error})'
            ) from error
        if not text.endswith('.json'):
            names = [line.strip() for line in content.splitlines() if line.strip()]
            return _checked(names, text)
        return _checked(_parsed(content, text), text)
    if text.lstrip().startswith(('{', '[')):
        return _checked(_parsed(text, 'the class names'), 'the class names')
    return [text]


def _parsed(text: str, source: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=single_keys)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f'{source}: not JSON ({error})') from error


def _checked(names: Any, source: str) -> list[str] | dict[str, str]:
    """Names or a mapping, none of them empty."""
    values = [*names, *names.values()] if isinstance(names, Mapping) else names
    if (
        not isinstance(names, (list, dict))
        or not values
        or not all(isinstance(value, str) and value.strip() for value in values)
    ):
        raise ConfigError(
            f'{source}: give names, such as ["cat", "dog"], or {{prompt: class}}'
        )
    return names
