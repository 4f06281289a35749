"""Which words a caption gets that is made of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glip.errors import ConfigError
from glip.transforms.words import Word, WordTable


class ClassSampler:
    """Draws the classes of a picture and others that are not in it.

    The rules are in :class:`RandomSamplingNegPos`. Draws come from numpy's global
    state.

    Args:
        room: Tokens that words and what is between them may take.
        between: Tokens of what stands between two words.
        num_draws: Most draws of absent names.
        control_prob: How likely there is one draw, none, all of them; a uniform
            number has the rest. A fourth one, of the original, must be 0.
        min_negatives: Fewest absent names, as far as there are any and they fit.
        max_classes: Most words.
        shuffle: Put words in random order, else in that of the table.

    Raises:
        ConfigError: An argument makes no sense.
    """

    def __init__(
        self,
        *,
        room: int,
        between: int,
        num_draws: int,
        control_prob: Sequence[float],
        min_negatives: int,
        max_classes: int | None,
        shuffle: bool,
    ) -> None:
        if room < 1:
            raise ConfigError(
                'max_tokens leaves no room for a word beside [CLS], [SEP] and the '
                'prefix; raise it'
            )
        if min(num_draws, min_negatives) < 0 or min_negatives > num_draws:
            raise ConfigError(
                f'num_sample_negative={num_draws} must not be less than '
                f'min_negatives={min_negatives}, nor that less than 0'
            )
        if max_classes is not None and max_classes < 1:
            raise ConfigError(f'max_classes must be at least 1, not {max_classes}')
        self._room = room
        self._between = between
        self._num_draws = num_draws
        self._control = _checked(control_prob)
        self._min_negatives = min_negatives
        self._max_classes = max_classes
        self._shuffle = shuffle

    def __call__(
        self, table: WordTable, present: Sequence[int], asked: Sequence[int]
    ) -> tuple[list[Word], dict[int, int]]:
        """Draw the words of one caption.

        Args:
            table: What the data set has.
            present: Labels of everything in the picture.
            asked: Those among them that have boxes to learn.

        Returns:
            Words in the order of the caption, and label -> its place among them for
            the labels that are asked for.
        """
        there = {w.meaning for label in present for w in table.classes[int(label)]}
        caption = _Caption(self._room, self._between, self._max_classes)
        positive = {}
        for label in np.random.permutation(asked).tolist():
            word = _one_of(table.classes[label])
            if caption.add(word):
                positive[label] = word.meaning
        self._add_negatives(caption, table.entries, there)
        words = caption.words
        if self._shuffle:
            words = [words[i] for i in np.random.permutation(len(words)).tolist()]
        else:
            words = sorted(words, key=lambda word: word.place)
        places = {word.meaning: place for place, word in enumerate(words)}
        return words, {label: places[meaning] for label, meaning in positive.items()}

    def _add_negatives(
        self,
        caption: _Caption,
        entries: Sequence[tuple[Word, ...]],
        there: set[int],
    ) -> None:
        """Draw names that are not in the picture, as many as fit."""
        most = min(self._num_draws, len(entries))
        if self._max_classes is not None:
            most = min(most, self._max_classes - len(caption.words))
        fewest = self._min_negatives
        if not caption.words:
            # A prompt needs a word.
            fewest, most = max(fewest, 1), max(most, 1)
        fewest = min(fewest, most)
        draws = self._number_of_draws(fewest, most)
        wanted = len(caption.words) + fewest
        for drawn, entry in enumerate(np.random.permutation(len(entries)).tolist()):
            enough = drawn >= draws and len(caption.words) >= wanted
            if enough or caption.is_full:
                break
            words = entries[entry]
            if there.isdisjoint(word.meaning for word in words):
                caption.add(_one_of(words))

    def _number_of_draws(self, fewest: int, most: int) -> int:
        """How many names are drawn; see the original's CONTROL_PROB."""
        if most == 0:
            return 0
        one, none, full = self._control
        point = np.random.random()
        if point < one:
            return 1
        if point < one + none:
            return 0
        if point < one + none + full:
            return most
        return int(np.random.randint(max(fewest, 1), most + 1))


class _Caption:
    """Words chosen for one caption, and the room that is left.

    Args:
        room: Tokens.
        between: Tokens of what stands between two words.
        most: Most words; None for no limit.
    """

    def __init__(self, room: int, between: int, most: int | None) -> None:
        self.words: list[Word] = []
        self._meanings: set[int] = set()
        self._room = room
        self._between = between
        self._most = most

    def __contains__(self, word: Word) -> bool:
        return word.meaning in self._meanings

    @property
    def is_full(self) -> bool:
        """Whether nothing more fits, however short."""
        used_up = bool(self.words) and self._room <= self._between
        return used_up or len(self.words) == self._most

    def add(self, word: Word) -> bool:
        """Take a word if it fits; whether it is in the caption, by now or already."""
        if word in self:
            return True
        size = word.size + (self._between if self.words else 0)
        if size > self._room or len(self.words) == self._most:
            return False
        self._room -= size
        self.words.append(word)
        self._meanings.add(word.meaning)
        return True


def _one_of(words: Sequence[Word]) -> Word:
    """Any of the words for one class."""
    return words[np.random.randint(len(words))] if len(words) > 1 else words[0]


def _checked(control: Sequence[float]) -> tuple[float, float, float]:
    """How likely one negative, none, and all of them are."""
    given = tuple(map(float, control))
    fits = len(given) in (3, 4) and min(given) >= 0 and sum(given) <= 1 + 1e-9
    if not fits or any(given[3:]):
        raise ConfigError(
            'full_sampling_prob must be from 0 to 1, control_prob three such numbers '
            f'with a sum of at most 1 (and a fourth that is 0), not {control}'
        )
    return given[:3]
