"""Weights between two checkpoints of one model."""

from collections.abc import Mapping

import torch
from torch import Tensor

from glip.errors import CheckpointError


def interpolate(
    start: Mapping[str, Tensor], end: Mapping[str, Tensor], share: float
) -> dict[str, Tensor]:
    """Weights on the line from ``start`` to ``end``.

    Between a model and what was fine-tuned from it lie models that keep what the first
    knows and have most of what the second has learned (WiSE-FT, arXiv 2109.01903).

    Args:
        start: Name to tensor.
        end: The same names and shapes.
        share: 0 gives ``start``, 1 gives ``end``.

    Returns:
        Floating-point tensors interpolated in float32; others are those of ``end``.

    Raises:
        CheckpointError: Names or shapes differ, or the share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise CheckpointError(f'the share of the second weights is 0 to 1, not {share}')
    differing = sorted(set(start) ^ set(end)) or [
        name for name, tensor in start.items() if tensor.shape != end[name].shape
    ]
    if differing:
        raise CheckpointError(
            f'the weights are of two models: {len(differing)} tensors differ, first of '
            f'all {differing[0]}'
        )
    return {
        name: torch.lerp(start[name].float(), tensor.float(), share)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in end.items()
    }
