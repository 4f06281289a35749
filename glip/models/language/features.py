"""Encoded words: what the language model hands to the detection head."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.ops import to_device


@dataclass(frozen=True)
class TextFeatures:
    """Token features of a batch of prompts; never changed in place, so cacheable.

    Attributes:
        hidden: Last hidden state, shape (B, T, D); what fusion layers update.
        embedded: Mean of the last layers with padding zeroed, shape (B, T, D).
        mask: True where a token is real, shape (B, T).
        padded: False where the host knows, without looking, that all tokens are real.
    """

    hidden: Tensor
    embedded: Tensor
    mask: Tensor
    padded: bool = True

    @property
    def attention_mask(self) -> Tensor | None:
        """The mask, or None where it would only cost time."""
        return self.mask if self.padded else None

    def take(
        self, rows: Sequence[int], lengths: Sequence[int] | None = None
    ) -> 'TextFeatures':
        """Some prompts of the batch.

        Args:
            rows: Their places, in any order, also repeated.
            lengths: The number of real tokens of each of them: padding that only
                others need is left out.
        """
        first, count = rows[0], len(rows)
        index: slice | Tensor
        if list(rows) == list(range(first, first + count)):
            index = slice(first, first + count)  # a view
        else:
            index = to_device(torch.tensor(rows), self.mask.device)
        hidden, embedded, mask = (
            x[index] for x in (self.hidden, self.embedded, self.mask)
        )
        if lengths is None:
            return TextFeatures(hidden, embedded, mask, self.padded)
        longest = max(lengths)
        return TextFeatures(
            hidden[:, :longest],
            embedded[:, :longest],
            mask[:, :longest],
            padded=min(lengths) < longest,
        )


def joined(groups: Sequence[TextFeatures]) -> TextFeatures:
    """Groups of prompts, one behind the other, padded to the longest."""
    if len(groups) == 1:
        return groups[0]
    longest = max(group.mask.shape[1] for group in groups)

    def cat(field: str) -> Tensor:
        padded = []
        for part in (getattr(group, field) for group in groups):
            rest = longest - part.shape[1]
            padded.append(F.pad(part, (0, 0) * (part.dim() - 2) + (0, rest)))
        return torch.cat(padded)

    return TextFeatures(cat('hidden'), cat('embedded'), cat('mask'))
