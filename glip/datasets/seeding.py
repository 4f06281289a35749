"""Samples that depend on their place in the training alone.

Who draws a sample (which worker, before or after a restart) does not matter: its
random choices come from a seed that its index carries.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset


class SeededIndex(int):
    """An index into a data set, and the seed to draw the sample with."""

    seed: int

    def __new__(cls, index: int, seed: int) -> SeededIndex:
        self = super().__new__(cls, index)
        self.seed = seed
        return self

    def __reduce__(self) -> tuple[type, tuple[int, int]]:
        return type(self), (int(self), self.seed)


def derived_seed(*numbers: int) -> int:
    """A seed of 63 bits; other numbers give an unrelated one."""
    words = np.random.SeedSequence([n % 2**64 for n in numbers]).generate_state(
        1, np.uint64
    )
    return int(words[0] >> np.uint64(1))


@contextmanager
def drawn_with(seed: int) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global draws, and put them back after."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])


class SeededDataset(Dataset):
    """A data set whose samples are drawn with the seed of their index.

    Everything else is that of the data set inside.

    Args:
        dataset: A map-style data set.
    """

    def __init__(self, dataset: Any) -> None:
        object.__setattr__(self, 'dataset', dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        seed = getattr(index, 'seed', None)
        if seed is None:
            return self.dataset[index]
        with drawn_with(seed):
            return self.dataset[int(index)]

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # asked for while unpickling, before it is there
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.dataset, name, value)

    def __reduce__(self) -> tuple[type, tuple[Any]]:
        return type(self), (self.dataset,)
