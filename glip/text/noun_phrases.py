"""Noun phrases of a caption."""

from __future__ import annotations

import re


def noun_phrases(caption: str) -> list[tuple[int, int]]:
    """Character spans of the noun phrases."""
    return [m.span() for m in re.finditer(r'[^\s.,;!?][^.,;!?]*[^\s.,;!?]', caption)]


def reads_as_sentence(text: str) -> bool:
    """Whether a part of a prompt is a sentence rather than a class name."""
    return len(text.split()) >= 5 and len(noun_phrases(text)) >= 2
