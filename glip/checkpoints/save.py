"""Writing weight files."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from glip.checkpoints.digest import DIGEST_KEY, digest_of
from glip.checkpoints.int8_rows import quantize_embeddings
from glip.errors import CheckpointError
from glip.runtime.atomic import atomic_write


def save_state_dict(
    state: Mapping[str, Tensor],
    path: str | Path,
    *,
    half: bool = False,
    int8_embeddings: bool = False,
) -> None:
    """Write weights as safetensors (by extension) or as mmengine's ``state_dict``.

    Args:
        state: Name to tensor, under our names.
        path: File to write; an existing one is replaced in one step.
        half: Store floating-point tensors in 16 bits; loading widens them again.
        int8_embeddings: Store word embeddings in 8 bits, see
            :mod:`glip.checkpoints.int8_rows`.

    Raises:
        CheckpointError: The file cannot be written.
    """
    path = Path(path)
    if int8_embeddings:
        state = quantize_embeddings(state)
    tensors = {
        name: (t.half() if half and t.is_floating_point() else t).detach().cpu()
        for name, t in state.items()
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            if path.suffix == '.safetensors':
                # Clones, because safetensors refuses tensors that share memory.
                plain = {n: t.clone().contiguous() for n, t in tensors.items()}
                metadata = {'format': 'pt', DIGEST_KEY: digest_of(plain)}
                save_file(plain, temporary, metadata=metadata)
            else:
                torch.save({'meta': {}, 'state_dict': tensors}, temporary)
    except OSError as error:
        raise CheckpointError(f'cannot write {path}: {error}') from error
