"""Telling weights apart by a few characters."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from glip.checkpoints.digest import digest_of
from glip.checkpoints.layouts import PROMPT_KEY, is_derived, is_unused
from glip.models.detectors import is_tuned


def fingerprint(state: Mapping[str, Tensor], tuning: str) -> str:
    """Of the weights that a tuning mode leaves as they are.

    It is the same for a model and for the file its weights came from, whatever layout
    and precision that has.

    Args:
        state: Weights under our names, of a model or a file.
        tuning: The mode.
    """
    return digest_of(
        {
            name: tensor.float().flatten() if tensor.is_floating_point() else tensor
            for name, tensor in state.items()
            if not (is_derived(name) or is_unused(name) or name == PROMPT_KEY)
            and not is_tuned(name, tuning)
        }
    )
