"""Fixtures of the tests of prompts."""

import random
from collections.abc import Callable

import pytest

from glip.text import Tokenizer
from glip.text.names import has_words


@pytest.fixture(scope='session')
def bert() -> Tokenizer:
    """The packaged tokenizer."""
    return Tokenizer()


@pytest.fixture(scope='session')
def chars() -> str:
    """Characters that break careless text handling."""
    return (
        'abcxyz ABC é ñ ü \u0301 \u200b \t\n_-.()[]{}+*?^$|\\/#@!,;:\'"0123456789 '
        '犬猫 日本 한국 кот ß İ ǆ ﬁ 🐶 ❤️ कि ไทย '
    )


@pytest.fixture(scope='session')
def random_names(chars: str) -> Callable[[int, int], list[str]]:
    """Function of a seed and a count: class names of any characters."""

    def draw(seed: int, count: int) -> list[str]:
        rng = random.Random(seed)
        names: list[str] = []
        while len(names) < count:
            name = ''.join(rng.choices(chars, k=rng.randint(1, 15)))
            if has_words(name):
                names.append(name)
        return names

    return draw
