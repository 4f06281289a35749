"""Tuned prompts: what is added to the tokens of one prompt in place of other words."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from .features import TextFeatures

# As many rows as the original has, whose prompts are of 256 tokens.
_ROWS = 1000


class LanguagePrompt(nn.Module):
    """One vector per token position, zero at the start, added to every prompt.

    The original's prompt tuning (its ``rpn.tunable_linear``, "language prompt v2").
    Row t belongs to token t, so a tuned prompt means something with the words it was
    tuned for only.

    Args:
        channels: Channels of a token.
        num_tokens: Most tokens of a prompt.
    """

    def __init__(self, channels: int, num_tokens: int = _ROWS) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(max(num_tokens, _ROWS), channels))

    def forward(self, text: TextFeatures) -> TextFeatures:
        """Prompts (B, T, D) with rows 0 to T - 1 added to the tokens of each."""
        return shifted(text, self.weight[: text.mask.shape[1]])


def shifted(text: TextFeatures, offsets: Tensor) -> TextFeatures:
    """Add to ``hidden`` and ``embedded`` of prompts.

    Args:
        text: Prompts, tokens (B, T, D).
        offsets: (T, D) for all prompts, or (B, T, D).
    """
    return replace(
        text,
        hidden=text.hidden + offsets.to(text.hidden),
        embedded=text.embedded + offsets.to(text.embedded),
    )
