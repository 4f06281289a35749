"""Pictures with captions, in shares that processes take one at a time."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

NOT_TEXT = 'captions that are not UTF-8 text'

Note = tuple[str, str]  # why something is left out, in the plural, and where it is


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes:
        name: Its file name as records are to have it.
        picture: Its path or its content; None where there is nothing to look at.
        captions: What a source has for captions, nothing about them taken for granted.
        weight: Its part of the share's weight.
        notes: What of it cannot be used.
        image_id: Its id in the source, where there is one.
    """

    name: str
    picture: str | bytes | None
    captions: tuple[Any, ...] = ()
    weight: int = 1
    notes: tuple[Note, ...] = ()
    image_id: Any = None


@dataclass(frozen=True)
class Share:
    """A part of a source.

    Attributes:
        number: Its place.
        weight: Pictures, lines or bytes, in one unit for all shares of a source.
        where: What the source finds it by.
    """

    number: int
    weight: int
    where: Any


class Source(ABC):
    """Where pictures and captions come from.

    Attributes:
        shares: All of it, in order.
        digest: Differs where the content does.
        unit: What weights count.
        holds_pictures: Whether items have the content of their pictures.
        folder: What file names start from; '' where pictures are held.
    """

    shares: list[Share]
    digest: str
    unit: str = 'pictures'
    holds_pictures: bool = False
    folder: str = ''

    @abstractmethod
    def items(self, share: Share) -> Iterator[Item]:
        """Pictures of a share, always the same in the same order."""


def cut(count: int, size: int) -> list[Share]:
    """Shares of things that have numbers: ``where`` is (begin, end)."""
    ends = [(begin, min(begin + size, count)) for begin in range(0, count, size)]
    return [Share(i, end - begin, (begin, end)) for i, (begin, end) in enumerate(ends)]


def digest_of(parts: Iterable[bytes]) -> str:
    """A digest of several byte strings in order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, 'big') + part)
    return digest.hexdigest()


def captions_of_text(
    content: bytes, where: str
) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """The lines of a text file that are not blank, and what is wrong with it."""
    try:
        text = content.decode('utf-8-sig')
    except UnicodeDecodeError:
        return (), ((NOT_TEXT, where),)
    lines = tuple(line for line in text.splitlines() if line.strip())
    return lines or ('',), ()  # an empty caption is counted as one
