"""Whether weights are what was written: digests, and numbers that are none."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glip.checkpoints.layouts import is_derived, is_unused
from glip.errors import CheckpointError

# In the metadata of our safetensors files; torch's files have checksums of their own.
DIGEST_KEY = 'glip_digest'
_SHOWN = 3
_SUMMED = 1 << 22  # values


def digest_of(state: Mapping[str, Any]) -> str:
    """Of names, shapes, types and values of all tensors, in any order."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(state.items()):
        if not isinstance(tensor, Tensor):
            continue
        digest.update(f'{name} {tuple(tensor.shape)} {tensor.dtype}'.encode())
        data = tensor.detach().cpu().contiguous().flatten()
        if data.numel():
            digest.update(data.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_zip(path: Path) -> None:
    """Hold the parts of a torch file against their checksums, which torch ignores.

    Raises:
        CheckpointError: One differs, or the file is no whole archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except OSError:
        raise
    # Damaged headers make it call anything.
    except Exception as error:  # noqa: BLE001
        raise CheckpointError(f'{path} is damaged or cut short: {error}') from error
    if damaged is not None:
        raise CheckpointError(
            f'{path} is damaged: {damaged} in it is not as it was written; fetch or '
            'copy the file again'
        )


def check_finite(state: Mapping[str, Tensor], name: str) -> None:
    """Refuse weights with which every result would be empty.

    Raises:
        CheckpointError: A weight is NaN or infinite; names the tensors.
    """
    wrong = [
        key
        for key, tensor in state.items()
        if tensor.is_floating_point() and not (is_derived(key) or is_unused(key))
        # A sum is finite only where all that is summed is. In parts, as it copies.
        if not all(
            math.isfinite(part.sum(dtype=torch.float64))
            for part in tensor.flatten().split(_SUMMED)
        )
    ]
    if wrong:
        more = f' and {len(wrong) - _SHOWN} more' if len(wrong) > _SHOWN else ''
        raise CheckpointError(
            f'{name} has weights that are NaN or infinite, in {len(wrong)} of '
            f'{len(state)} tensors: {", ".join(wrong[:_SHOWN])}{more}; take an '
            'earlier checkpoint'
        )
