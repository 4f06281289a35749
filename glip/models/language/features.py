"""Encoded words: what the language model hands to the detection head."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class TextFeatures:
    """Token features of a batch of prompts; never changed in place, so cacheable.

    Attributes:
        hidden: Last hidden state, shape (B, T, D); what fusion layers update.
        embedded: Mean of the last layers with padding zeroed, shape (B, T, D).
        mask: True where a token is real, shape (B, T).
    """

    hidden: Tensor
    embedded: Tensor
    mask: Tensor

    def take(self, index: Tensor) -> 'TextFeatures':
        """Rows of the batch in the order of ``index``."""
        return TextFeatures(self.hidden[index], self.embedded[index], self.mask[index])
