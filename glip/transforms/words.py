"""Names of classes as words that prompts are made of, measured once per data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from glip.errors import PromptError
from glip.text import TextPrompt, Tokenizer, clean_name
from glip.text.checks import check_words, has_words
from glip.text.prompt import Piece

CaptionPrompt = Mapping[str, Mapping[str, str]]


class Word(NamedTuple):
    """One way to write a class into a caption.

    Attributes:
        piece: What is written, and which of its characters stand for the class.
        size: Number of tokens of what is written.
        meaning: Number that is the same for all words that the model reads alike.
        place: Its place among all words of the table.
    """

    piece: Piece
    size: int
    meaning: int
    place: int


class WordTable:
    """All words that a prompt for a picture of one data set may hold.

    What a tokenizer makes of a name is looked up once, because a picture of a data
    set with a thousand classes needs it for hundreds.

    Args:
        names: Label -> class name as the data set has it.
        tokenizer: Whose tokens count.
        caption_prompt: See :meth:`glip.text.TextPrompt.from_classes`.
        vocabulary: Names that are no class of the data set. Those that read like one
            of them are not taken.
        synonyms: What stands between several words for one class, as in
            ``'Cabinet/shelf'``; None for names that are always written whole.

    Attributes:
        classes: Label -> the words of a class.
        entries: The words of each class, then of each name of the vocabulary.

    Raises:
        PromptError: A name has no word that the tokenizer knows how to read.
    """

    def __init__(
        self,
        names: Mapping[int, str],
        tokenizer: Tokenizer,
        *,
        caption_prompt: CaptionPrompt | None = None,
        vocabulary: Sequence[str] = (),
        synonyms: str | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._overrides = dict(caption_prompt or {})
        self._synonyms = synonyms
        self._meanings: dict[Any, int] = {}
        self._count = 0
        self.classes: dict[int, tuple[Word, ...]] = {}
        for label, name in names.items():
            self.classes[label] = self._words(name, f'name of class {label}')
        self.entries = list(self.classes.values())
        known = {word.meaning for words in self.entries for word in words}
        for name in vocabulary:
            words = self._words(name, 'name in the vocabulary')
            if known.isdisjoint(word.meaning for word in words):
                known.update(word.meaning for word in words)
                self.entries.append(words)

    def _words(self, name: Any, what: str) -> tuple[Word, ...]:
        """The ways to write one class."""
        check_words(name, what)
        override = self._overrides.get(name, self._overrides.get(clean_name(name)))
        if override is not None:
            return (self._word(name, {name: override}),)
        # What stands in brackets goes first; it may hold the sign as well.
        parts = clean_name(name).split(self._synonyms) if self._synonyms else []
        parts = [part.strip() for part in parts] if len(parts) > 1 else [name]
        parts = [part for part in parts if has_words(part)]
        return tuple(self._word(part, None) for part in dict.fromkeys(parts))

    def _word(self, name: str, override: CaptionPrompt | None) -> Word:
        """One way to write it."""
        prompt = TextPrompt.from_classes([name], caption_prompt=override)
        piece = prompt.pieces[0]
        # In lower case, so that spelling makes no difference to a cased vocabulary.
        words = piece.text[piece.begin : piece.end].lower()
        tokens = tuple(self._tokenizer.tokenize(words)[0])
        if not tokens:
            raise PromptError(
                f'the vocabulary of {self._tokenizer.name} leaves nothing of the class '
                f'name {name!r:.60}; use other words for it'
            )
        meaning = self._meanings.setdefault(tokens, len(self._meanings))
        size = len(self._tokenizer.tokenize(piece.text)[0])
        self._count += 1
        return Word(piece, size, meaning, self._count)


def write_caption(
    words: Sequence[Word], *, prefix: str, separator: str
) -> tuple[str, tuple[tuple[tuple[int, int], ...], ...]]:
    """Words as one caption.

    Returns:
        The caption, and the characters of each word's class in it.
    """
    spans, at = [], len(prefix)
    for word in words:
        spans.append(((at + word.piece.begin, at + word.piece.end),))
        at += len(word.piece.text) + len(separator)
    return prefix + separator.join(word.piece.text for word in words), tuple(spans)
