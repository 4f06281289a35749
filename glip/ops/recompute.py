"""Tensors that are made again for the backward pass instead of being kept for it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor


def recomputed(
    tensors: Sequence[Tensor], make: Callable[[int], Tensor]
) -> AbstractContextManager[None]:
    """A region in which autograd saves how to make tensors instead of the tensors.

    Args:
        tensors: What is cheap to make.
        make: A function from a place in ``tensors`` to an equal tensor.
    """
    indices = {(x.data_ptr(), x.shape): index for index, x in enumerate(tensors)}

    def pack(x: Tensor) -> int | Tensor:
        return indices.get((x.data_ptr(), x.shape), x)

    def unpack(saved: int | Tensor) -> Tensor:
        return make(saved) if isinstance(saved, int) else saved

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)
