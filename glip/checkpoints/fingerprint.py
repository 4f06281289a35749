"""Telling weights apart by a few characters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from glip.checkpoints.layouts import PROMPT_KEY, is_derived, is_unused
from glip.models.detectors import is_tuned


def digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """Of names, shapes, types and values, in the order given."""
    digester = hashlib.blake2b(digest_size=16)
    for name, tensor in tensors:
        digester.update(f'{name} {tuple(tensor.shape)} {tensor.dtype}'.encode())
        data = tensor.detach().cpu().contiguous().flatten()
        if data.numel():
            digester.update(data.view(torch.uint8).numpy().data)
    return digester.hexdigest()


def fingerprint(state: Mapping[str, Tensor], tuning: str) -> str:
    """Of the weights that a tuning mode leaves as they are.

    It is the same for a model and for the file its weights came from, whatever layout
    and precision that has.

    Args:
        state: Weights under our names, of a model or a file.
        tuning: The mode.
    """
    return digest(
        (name, tensor.float().flatten() if tensor.is_floating_point() else tensor)
        for name, tensor in sorted(state.items())
        if not (is_derived(name) or is_unused(name) or name == PROMPT_KEY)
        and not is_tuned(name, tuning)
    )
