"""Tuned prompts: what is added to the tokens of one prompt in place of other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from glip.errors import PromptError
from glip.text import EncodedPrompt, TextPrompt

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


@dataclass(frozen=True, eq=False)
class TunedPrompt:
    """What prompt tuning has learned for one prompt of one model.

    Attributes:
        text: The words.
        input_ids: Their tokens, [CLS] and [SEP] included.
        offsets: Added to the features of each token, shape (T, D).
    """

    text: TextPrompt
    input_ids: tuple[int, ...]
    offsets: Tensor

    def require(self, prompts: Sequence[EncodedPrompt]) -> None:
        """See that it is asked for its own words.

        Args:
            prompts: All prompts that the words of one call became.

        Raises:
            PromptError: They have other tokens.
        """
        if len(prompts) != 1 or prompts[0].input_ids != self.input_ids:
            raise PromptError(
                f'the prompt was tuned for the words {_short(self.text.caption)}, not '
                f'for {_short(prompts[0].prompt.caption)}: leave the words out, or the '
                'prompt'
            )


def add_tuned(
    text: TextFeatures,
    prompts: Sequence[TunedPrompt | None],
    default: LanguagePrompt | None,
) -> TextFeatures:
    """Add to each row what was tuned for it.

    Args:
        text: Prompts, tokens (B, T, D).
        prompts: Of each row; none at all stands for None everywhere.
        default: For rows with None.
    """
    if all(prompt is None for prompt in prompts):
        return text if default is None else default(text)
    offsets = torch.zeros_like(text.hidden)
    for row, prompt in enumerate(prompts):
        if prompt is not None:
            offsets[row, : len(prompt.offsets)] = prompt.offsets.to(offsets)
        elif default is not None:
            offsets[row] = default.weight[: offsets.shape[1]]
    return shifted(text, offsets)


def _short(caption: str, limit: int = 60) -> str:
    return repr(caption if len(caption) <= limit else f'{caption[:limit]}...')
