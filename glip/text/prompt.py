"""The words of one question to the model, as an immutable value."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeVar

from glip.errors import PromptError
from glip.text.checks import Span, check_text, check_words, checked_spans
from glip.text.names import clean_name
from glip.text.negation import affirmed
from glip.text.noun_phrases import is_one_phrase, noun_phrases

logger = logging.getLogger(__name__)

T = TypeVar('T')


class Piece(NamedTuple):
    """One entity of a class prompt, from which captions of subsets are built.

    Attributes:
        text: What is written into the caption.
        begin: Where in ``text`` the words begin that stand for the entity.
        end: Where they end (exclusive).
    """

    text: str
    begin: int
    end: int


@dataclass(frozen=True)
class TextPrompt:
    """A caption and what is to be found in it.

    An *entity* is something with words of its own in the caption. Usually every
    name has one entity; duplicates of a name share the entity of the first, and
    several entities may feed one name.

    Attributes:
        caption: What the tokenizer sees.
        spans: Entity -> its character spans ``[begin, end)`` in ``caption``.
        labels: Entity -> index into ``names``.
        names: The classes or phrases exactly as the user gave them; the labels of
            detections index this.
        pieces: Entity -> its part of the caption. Empty for captions, which
            cannot be taken apart.
        separator: What stands between two pieces.

    Raises:
        PromptError: Spans, labels and names do not belong together.
    """

    caption: str
    spans: tuple[tuple[Span, ...], ...]
    labels: tuple[int, ...]
    names: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()
    separator: str = '. '

    def __post_init__(self) -> None:
        if len(self.spans) != len(self.labels):
            raise PromptError(
                f'{len(self.spans)} entities need as many labels, '
                f'got {len(self.labels)}'
            )
        if self.pieces and len(self.pieces) != len(self.spans):
            raise PromptError(
                f'{len(self.spans)} entities need as many pieces, '
                f'got {len(self.pieces)}'
            )
        for label in self.labels:
            if not 0 <= label < len(self.names):
                raise PromptError(
                    f'label {label} is outside the {len(self.names)} names'
                )
        length = len(self.caption)
        for spans in self.spans:
            for begin, end in spans:
                if not 0 <= begin < end <= length:
                    raise PromptError(
                        f'span [{begin}, {end}] does not lie in the caption of '
                        f'{length} characters'
                    )

    @property
    def is_class_prompt(self) -> bool:
        """Whether it is a list of classes, which may be split and cut."""
        return bool(self.pieces)

    @property
    def num_entities(self) -> int:
        return len(self.spans)

    def by_label(self, values: Sequence[Iterable[T]]) -> tuple[tuple[T, ...], ...]:
        """Join what belongs to the entities of each label.

        Labels of a class prompt index its names; a repeated name stands in the caption
        once and shares what belongs to its first place. Labels of a caption index its
        phrases, of which two may read the same and still be two things.

        Args:
            values: Entity -> its values, such as ``spans``.

        Returns:
            Label -> the values of its entities, in their order.
        """
        rows: list[list[T]] = [[] for _ in self.names]
        for label, entity in zip(self.labels, values, strict=True):
            rows[label].extend(entity)
        if self.is_class_prompt:
            first: dict[str, int] = {}
            rows = [rows[first.setdefault(n, i)] for i, n in enumerate(self.names)]
        return tuple(map(tuple, rows))

    def subset(self, entities: Iterable[int]) -> TextPrompt:
        """Class prompt of some of the entities, in the order given.

        ``names`` stays the full list, so labels keep their meaning.

        Raises:
            PromptError: This is a caption, which cannot be taken apart.
        """
        if not self.is_class_prompt:
            raise PromptError('only a list of classes can be split, not a caption')
        chosen = list(entities)
        return _join(
            [self.pieces[i] for i in chosen],
            [self.labels[i] for i in chosen],
            self.names,
            self.separator,
        )

    @classmethod
    def from_classes(
        cls,
        names: Sequence[str],
        *,
        caption_prompt: Mapping[str, Mapping[str, str]] | None = None,
        separator: str = '. ',
    ) -> TextPrompt:
        """Classes, cleaned and joined by ``separator``, with none at the end.

        Args:
            names: Class names; never split. A name that was there before shares
                the entity of its first occurrence.
            caption_prompt: Class name -> ``{'prefix', 'name', 'suffix'}``, each
                optional: other words for a class. Prefix and suffix are context;
                only ``name`` stands for the class. Written as they are.
            separator: Between two names; keep it from touching letters.

        Raises:
            PromptError: No names, a name that is not text, or one without words.

        Source: microsoft/GLIP ``create_queries_and_maps``.
        """
        if isinstance(names, str):
            raise PromptError(
                f'class names must be a list, not the string {names!r:.60}'
            )
        given = tuple(names)
        if not given:
            raise PromptError('no class names given; name at least one thing to find')
        if not isinstance(caption_prompt, Mapping | None):
            raise PromptError(
                f'caption_prompt is {type(caption_prompt).__name__}; give a mapping '
                'from class name to prefix, name and suffix'
            )
        overrides = dict(caption_prompt or {})
        pieces, labels, first = [], [], {}
        for label, name in enumerate(given):
            check_words(name, f'class name {label + 1} of {len(given)}')
            if name in first:
                continue
            first[name] = label
            cleaned = clean_name(name)
            override = overrides.get(name, overrides.get(cleaned))
            pieces.append(
                Piece(cleaned, 0, len(cleaned))
                if override is None
                else _override_piece(name, cleaned, override)
            )
            labels.append(label)
        _warn_unused(overrides, first)
        _warn_alike(pieces, labels, [given[label] for label in labels])
        return _join(pieces, labels, given, separator)

    @classmethod
    def from_mapping(
        cls, mapping: Mapping[str, str], *, separator: str = '. '
    ) -> TextPrompt:
        """Words for classes: ``{prompt text: class name}``.

        Several texts may feed one class. ``names`` are the class names in the
        order of their first appearance; the texts are cleaned as class names are.

        Raises:
            PromptError: Empty mapping, or a text or name without words.
        """
        if not mapping:
            raise PromptError('no prompts given; name at least one thing to find')
        pieces, labels = [], []
        classes: dict[str, int] = {}
        for text, name in mapping.items():
            check_words(text, 'a prompt text')
            check_words(name, f'the class name of prompt {text!r}')
            cleaned = clean_name(text)
            pieces.append(Piece(cleaned, 0, len(cleaned)))
            labels.append(classes.setdefault(name, len(classes)))
        _warn_alike(pieces, labels, list(mapping))
        return _join(pieces, labels, tuple(classes), separator)

    @classmethod
    def from_spans(
        cls,
        caption: str,
        tokens_positive: int | Sequence[Sequence[Sequence[int]]],
    ) -> TextPrompt:
        """Caption with the character spans of what to find.

        Args:
            caption: Kept as it is, spaces included: the spans count its characters.
            tokens_positive: Entity -> its list of ``[begin, end]``; ``-1`` makes the
                whole caption one entity (mmdet's ``--tokens-positive``). A mapping
                with the keys 0, 1, ... is taken as that list.

        Raises:
            PromptError: A span is not two integers, is empty or blank, or leaves
                the caption; no entity; an entity without spans.
        """
        check_words(caption, 'the caption')
        if isinstance(tokens_positive, int) and tokens_positive == -1:
            whole = ((0, len(caption)),)
            return cls(caption, (whole,), (0,), (caption,))
        spans = checked_spans(caption, tokens_positive)
        names = tuple(
            ' / '.join(caption[begin:end] for begin, end in entity) for entity in spans
        )
        return cls(caption, spans, tuple(range(len(spans))), names)

    @classmethod
    def from_caption(cls, caption: str) -> TextPrompt:
        """Caption in which every noun phrase is an entity of its own.

        A caption that is one plain noun phrase, or in which none is found, becomes
        a class prompt of that one name. What a caption rules out ('without helmet') is
        no entity, as the model would find it all the same.

        Raises:
            PromptError: The caption is not text, has no words, or rules out all that
                it names.
        """
        check_words(caption, 'the text')
        caption = caption.strip()
        name = caption.rstrip('.!?, \t\n') or caption
        if is_one_phrase(clean_name(name)):
            return cls.from_classes([name])
        phrases = noun_phrases(caption)
        if not phrases:
            return cls.from_classes([name])
        phrases, ruled_out = affirmed(caption, phrases)
        if not phrases:
            raise PromptError(
                f'the text {caption!r:.60} names only what is not there; name what to '
                'find'
            )
        if ruled_out:
            words = tuple(caption[begin:end] for begin, end in ruled_out)
            _warn_once(
                '%s: not looked for, as the text rules it out; what else it names is '
                'found with it and without',
                ', '.join(map(repr, words)),
            )
        return cls(
            caption,
            tuple((phrase,) for phrase in phrases),
            tuple(range(len(phrases))),
            tuple(caption[begin:end] for begin, end in phrases),
        )


def _join(
    pieces: Sequence[Piece],
    labels: Sequence[int],
    names: tuple[str, ...],
    separator: str,
) -> TextPrompt:
    """Write the pieces one after the other and note where each one lies."""
    spans, at = [], 0
    for piece in pieces:
        spans.append(((at + piece.begin, at + piece.end),))
        at += len(piece.text) + len(separator)
    return TextPrompt(
        caption=separator.join(piece.text for piece in pieces),
        spans=tuple(spans),
        labels=tuple(labels),
        names=names,
        pieces=tuple(pieces),
        separator=separator,
    )


def _override_piece(name: str, cleaned: str, override: Mapping[str, str]) -> Piece:
    if not isinstance(override, Mapping) or not set(override) <= {
        'prefix',
        'name',
        'suffix',
    }:
        raise PromptError(
            f'caption_prompt of {name!r} must have only the keys prefix, name and '
            f'suffix, got {override!r:.80}'
        )
    words = override.get('name', cleaned)
    prefix, suffix = override.get('prefix', ''), override.get('suffix', '')
    check_words(words, f'caption_prompt name of {name!r}')
    for key, value in (('prefix', prefix), ('suffix', suffix)):
        check_text(value, f'caption_prompt {key} of {name!r}')
    begin = len(prefix)
    return Piece(prefix + words + suffix, begin, begin + len(words))


@lru_cache(maxsize=1024)
def _warn_once(message: str, *args: str) -> None:
    logger.warning(message, *args)


def _warn_unused(overrides: Mapping[str, object], given: Iterable[str]) -> None:
    known = {form for name in given for form in (name, clean_name(name))}
    unused = tuple(sorted(str(key) for key in overrides if key not in known))
    if unused:
        _warn_once(
            'caption_prompt names classes that are not asked for: %s',
            ', '.join(unused),
        )


def _warn_alike(
    pieces: Sequence[Piece], labels: Sequence[int], given: Sequence[str]
) -> None:
    first: dict[str, tuple[int, str]] = {}
    alike = []
    for piece, label, name in zip(pieces, labels, given, strict=True):
        text = ' '.join(piece.text.lower().split())
        first_label, first_name = first.setdefault(text, (label, name))
        if first_label != label:
            alike.append(f'{first_name!r} and {name!r}')
    if alike:
        _warn_once(
            'the model reads the same words for %s; each keeps its own label, but they '
            'cannot be told apart',
            ', '.join(alike),
        )
