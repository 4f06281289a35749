"""Words for the classes of a detector, and prompts drawn from them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glip.errors import ConfigError
from glip.received import check_is_file, parse_json
from glip.text import TextPrompt
from glip.text.plurals import plural

_ADJECTIVES = (
    *('red', 'blue', 'green', 'yellow', 'black', 'white', 'brown', 'small', 'large'),
    *('big', 'little', 'old', 'new', 'young', 'tall', 'empty', 'colorful', 'wooden'),
)
_BEFORE = ('', '', 'there is ', 'a photo of ', 'a close up of ', 'picture of ')
_BETWEEN = (
    *(' and ', ' with ', ' next to ', ' on ', ' in front of ', ' near ', ' holding '),
    *(' riding ', ' behind ', ' under ', ' beside ', ', ', ' sitting on ', ' by '),
    *(' standing next to ', ' looking at ', ' on top of ', ' walking past ', ' in '),
)
_AFTER = ('', '', '', '.', ' outside', ' in the background', ' on a sunny day')


@dataclass(frozen=True)
class Word:
    """Something to ask for.

    Attributes:
        text: The word or words.
        classes: Indices of the classes that it means; none for a word that means
            something else.
        is_name: Whether it is the class's own name.
    """

    text: str
    classes: tuple[int, ...] = ()
    is_name: bool = False


@dataclass(frozen=True)
class WordList:
    """Names of C classes and other words.

    Attributes:
        names: The C names.
        synonyms: Words that mean one class each, and those that mean several.
        other_words: Words that mean none of the classes.
    """

    names: tuple[Word, ...]
    synonyms: tuple[Word, ...]
    other_words: tuple[Word, ...]

    @classmethod
    def read(cls, path: str | Path) -> WordList:
        """Read a JSON file.

        Args:
            path: ``{"synonyms": {name: [word, ...]}, "groups": {word: [name, ...]},
                "other_words": [word, ...]}``. The keys of ``synonyms`` are the names of
                all classes in the detector's order; ``groups`` may be left out.

        Raises:
            ConfigError: The file is not of this form.
        """
        try:
            check_is_file(path)
            text = Path(path).read_text(encoding='utf-8')
            return cls.from_dict(parse_json(text))
        except OSError as error:
            raise ConfigError(f'word list {path}: {error.strerror}') from error
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ConfigError(
                f'{path}: not a word list, JSON with synonyms and other_words ({error})'
            ) from error

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> WordList:
        """Take the content of such a file."""
        index = {name: i for i, name in enumerate(content['synonyms'])}
        names = tuple(Word(name, (i,), True) for name, i in index.items())
        synonyms = [
            Word(text, (index[name],))
            for name, texts in content['synonyms'].items()
            for text in texts
        ]
        synonyms += [
            Word(text, tuple(index[name] for name in members))
            for text, members in content.get('groups', {}).items()
        ]
        others = tuple(Word(text) for text in content['other_words'])
        return cls(names, tuple(synonyms), others)


class PromptSampler:
    """Prompts in which the meaning of every entity is known.

    Some are lists of words, as for detection, some are sentences with articles and
    adjectives, as for grounding.

    Args:
        words: Names, synonyms and other words.
        seed: Of the draws.
        sentences: Share of sentences.
    """

    def __init__(
        self, words: WordList, *, seed: int = 0, sentences: float = 0.4
    ) -> None:
        self.words = words
        self.sentences = sentences
        self._random = random.Random(seed)

    def draw(self, num_words: int = 120) -> list[tuple[TextPrompt, list[Word]]]:
        """Prompts of about one length, with the word of each of their entities.

        Args:
            num_words: About how many words they have together.
        """
        if self._random.random() < self.sentences:
            return [self._sentence() for _ in range(max(1, num_words // 4))]
        # All names in one prompt is what evaluation asks.
        count = self._random.choice((1, 3, 8, 20, 40, *[len(self.words.names)] * 3))
        return [self._list(count) for _ in range(max(1, num_words // count))]

    def _list(self, count: int) -> tuple[TextPrompt, list[Word]]:
        if count == len(self.words.names):
            words = list(self.words.names)
            if self._random.random() < 0.5:
                self._random.shuffle(words)
            texts = [word.text for word in words]
        else:
            words = [self._word() for _ in range(count)]
            texts = [self._inflected(word) for word in words]
        unique = dict(zip(texts, words, strict=True))
        return TextPrompt.from_classes(list(unique)), list(unique.values())

    def _sentence(self) -> tuple[TextPrompt, list[Word]]:
        words = [self._word() for _ in range(self._random.choice((1, 2, 2, 3, 3, 4)))]
        caption = self._random.choice(_BEFORE)
        spans = []
        for i, word in enumerate(words):
            caption += self._random.choice(_BETWEEN) if i else ''
            phrase = self._phrase(word)
            spans.append([[len(caption), len(caption) + len(phrase)]])
            caption += phrase
        caption += self._random.choice(_AFTER)
        return TextPrompt.from_spans(caption, spans), words

    def _word(self) -> Word:
        kind = self._random.random()
        if kind < 0.35:
            return self._random.choice(self.words.names)
        if kind < 0.7:
            return self._synonym()
        return self._random.choice(self.words.other_words or self.words.names)

    def _synonym(self) -> Word:
        """A synonym of a class drawn first, as classes have them in unequal numbers."""
        synonyms = self.words.synonyms or self.words.names
        if self._random.random() < 0.3:
            return self._random.choice(synonyms)
        name = self._random.choice(self.words.names)
        fitting = [word for word in synonyms if name.classes[0] in word.classes]
        # The first ones are the commonest.
        number = int(len(fitting) * self._random.random() ** 2)
        return fitting[number] if fitting else name

    def _inflected(self, word: Word) -> str:
        form = self._random.random()
        if form < 0.8:
            return word.text
        return self._phrase(word) if form < 0.9 else plural(word.text)

    def _phrase(self, word: Word) -> str:
        """With an article or number, and perhaps an adjective."""
        text = word.text
        if self._random.random() < 0.3:
            text = f'{self._random.choice(_ADJECTIVES)} {text}'
        form = self._random.random()
        if form < 0.45:
            return f'{"an" if text[0] in "aeiou" else "a"} {text}'
        if form < 0.65:
            return f'the {text}'
        if form < 0.75:
            return text
        number = self._random.choice(
            ('', 'two ', 'three ', 'several ', 'some ', 'the ')
        )
        return number + plural(text)


def encoded(
    prompts: Sequence[tuple[TextPrompt, list[Word]]], tokenizer: Any, max_tokens: int
) -> tuple[list[Any], list[tuple[int, int, Word]]]:
    """Prompts as tokens, and (prompt, token, word) of all tokens that mean a word."""
    encodings, meanings = [], []
    for row, (prompt, words) in enumerate(prompts):
        encoding = tokenizer.encode(prompt, max_tokens, truncate=True)
        encodings.append(encoding)
        meanings += [
            (row, token, word)
            for word, tokens in zip(words, encoding.entity_tokens, strict=True)
            for token in tokens
        ]
    return encodings, meanings
