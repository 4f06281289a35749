"""Embedding tables in 8 bits: each row with a scale of its own.

Of a small model most weights are word embeddings. In a file they may be ``int8`` with
one scale per row under the name of the table plus ``.int8_scale``; whoever reads the
file sees the table under its name and in float32.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from glip.errors import CheckpointError

_SCALE = '.int8_scale'
_TABLE = 'word_embeddings.weight'


def quantize_embeddings(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Store word embeddings (V, D) as int8 and a scale per row (V,).

    A value moves by at most 1/254 of the largest of its row.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(_TABLE) and tensor.is_floating_point():
            scale = tensor.float().abs().amax(1).clamp(min=1e-12) / 127
            stored[name] = (tensor.float() / scale[:, None]).round().to(torch.int8)
            stored[name + _SCALE] = scale
        else:
            stored[name] = tensor
    return stored


def restore_embeddings(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Undo :func:`quantize_embeddings`; other state dicts come back unchanged.

    Args:
        state: Name to tensor.
        source: What to call the file in messages.

    Raises:
        CheckpointError: A scale does not belong to a table in 8 bits.
    """
    restored = dict(state)
    for name in [name for name in state if name.endswith(_SCALE)]:
        scale = restored.pop(name)
        table = restored.get(name.removesuffix(_SCALE))
        if (
            table is None
            or table.dtype != torch.int8
            or table.dim() != 2
            or scale.shape != table.shape[:1]
        ):
            raise CheckpointError(
                f'{source}: {name} does not belong to a table of int8 rows'
            )
        restored[name.removesuffix(_SCALE)] = table.float() * scale.float()[:, None]
    return restored
