"""Numbers that a caller or a config gives, checked before they have no effect."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, Final, Literal

from glip.errors import ConfigError

DEFAULT: Final = 'default'
# A score, or the word for that of the model.
Threshold = float | Literal['default']


def check_score(value: Any, name: str) -> float:
    """A score or another share.

    Raises:
        ConfigError: It is no number from 0 to 1.
    """
    if not is_number(value) or not 0 <= value <= 1:
        raise ConfigError(f'{name} must be a number from 0 to 1, not {value!r:.60}')
    return float(value)


def check_threshold(value: Threshold, name: str = 'threshold') -> Threshold:
    """A score from 0 to 1, or ``'default'``.

    Raises:
        ConfigError: It is neither; None, NaN and other words are not.
    """
    if isinstance(value, str) and value == DEFAULT:
        return value
    if not is_number(value):
        raise ConfigError(
            f'{name} must be a number from 0 to 1, not {value!r:.60}; leave it out, or '
            f'give {DEFAULT!r}, for that of the model'
        )
    return check_score(value, name)


def check_count(value: Any, name: str, least: int = 1) -> int:
    """How many of something.

    Raises:
        ConfigError: It is no whole number, or less than ``least``.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least:
        raise ConfigError(
            f'{name} must be a whole number from {least} on, not {value!r:.60}'
        )
    return int(value)


def is_number(value: Any) -> bool:
    """Whether it is a finite real number, of Python or numpy."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(value)


def single_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, for ``object_pairs_hook``; ``json`` keeps the last value.

    Raises:
        ConfigError: A key has two values.
    """
    content: dict[str, Any] = {}
    for key, value in pairs:
        if content.setdefault(key, value) != value:
            raise ConfigError(
                f'{key!r:.80} stands for both {content[key]!r:.80} and {value!r:.80}'
            )
    return content
