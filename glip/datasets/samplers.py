"""Which sample comes next: with seeds, by ratios, and from the middle of an epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from glip.datasets.seeding import SeededIndex, derived_seed
from glip.errors import ConfigError
from glip.registry import DATA_SAMPLERS


class SeededSampler(Sampler[int]):
    """The indices of another sampler, each with a seed of its own.

    The seed comes from the run's seed, the epoch, and the sample's place among those
    of all processes.

    Args:
        sampler: What draws the indices.
        seed: Of the run; that of the sampler where it has one.
    """

    def __init__(self, sampler: Any, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed
        self.epoch = 0

    @property
    def dataset(self) -> Any:
        """What the indices belong to, which batch samplers ask for sizes."""
        return self.sampler.dataset

    def set_epoch(self, epoch: int) -> None:
        """Draw in the order of another epoch."""
        self.epoch = epoch
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)

    def set_seed(self, seed: int) -> None:
        """Draw as a run with this seed does, such as the one that is resumed."""
        self.seed = seed
        if hasattr(self.sampler, 'seed'):
            self.sampler.seed = seed

    def __iter__(self) -> Iterator[int]:
        rank, world_size = get_dist_info()
        for place, index in enumerate(self.sampler):
            seed = derived_seed(self.seed, self.epoch, place * world_size + rank)
            yield SeededIndex(index, seed)

    def __len__(self) -> int:
        return len(self.sampler)


class ResumableBatchSampler(Sampler[list[int]]):
    """Batches of another batch sampler, from the middle of an epoch if need be.

    Args:
        batch_sampler: What makes the batches.
    """

    def __init__(self, batch_sampler: Any) -> None:
        self.batch_sampler = batch_sampler
        self._skipped = 0

    @property
    def sampler(self) -> Any:
        """What the batches are made of."""
        return self.batch_sampler.sampler

    @property
    def batch_size(self) -> int:
        """Samples of a full batch."""
        return self.batch_sampler.batch_size

    def skip(self, num_batches: int) -> None:
        """Leave out the first batches of the next pass; their data is not read."""
        self._skipped = num_batches

    def __iter__(self) -> Iterator[list[int]]:
        skipped, self._skipped = self._skipped, 0
        yield from islice(self.batch_sampler, skipped, None)

    def __len__(self) -> int:
        return len(self.batch_sampler)


@DATA_SAMPLERS.register_module()
class MixtureSampler(Sampler[int]):
    """Samples of the parts of a ``ConcatDataset`` in given shares, shuffled together.

    Unlike ``repeats`` of the data set, shares may be any numbers, and an epoch as long
    as one likes. Each part is gone through in a random order before any of its samples
    comes again, from epoch to epoch.

    Args:
        dataset: A ``ConcatDataset``.
        ratios: Share of each part, in any unit.
        epoch_size: Samples of an epoch, by default as many as there are.
        seed: Of the draws, the same in all processes.

    Raises:
        ConfigError: The ratios do not fit the data set.
    """

    def __init__(
        self,
        dataset: Any,
        ratios: Sequence[float],
        epoch_size: int | None = None,
        seed: int | None = None,
    ) -> None:
        ends = getattr(dataset, 'cumulative_sizes', None)
        if ends is None:
            raise ConfigError(
                'MixtureSampler needs a ConcatDataset, whose parts it mixes'
            )
        self.sizes = np.diff([0, *ends]).tolist()
        if (
            len(ratios) != len(self.sizes)
            or not all(0 <= r < math.inf for r in ratios)
            or not sum(ratios)
        ):
            raise ConfigError(
                f'MixtureSampler: ratios={list(ratios)} must have a share, 0 or more, '
                f'for each of the {len(self.sizes)} data sets, and not all can be 0'
            )
        self.dataset = dataset
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.rank, self.world_size = get_dist_info()
        wanted = len(dataset) if epoch_size is None else epoch_size
        self._length = math.ceil(wanted / self.world_size)
        self._counts = _shares(ratios, self._length * self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Draw in the order of another epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[int]:
        indices, start = [], 0
        for part, (size, count) in enumerate(zip(self.sizes, self._counts)):
            indices.append(start + self._of_part(part, size, count))
            start += size
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(np.concatenate(indices))
        yield from order[self.rank :: self.world_size].tolist()

    def _of_part(self, part: int, size: int, count: int) -> np.ndarray:
        """What of a part is due in this epoch, (count,)."""
        first = self.epoch * count
        rounds = range(first // size, (first + count - 1) // size + 1)
        orders = [
            np.random.default_rng([self.seed, part, number]).permutation(size)
            for number in rounds
        ]
        begin = first - rounds.start * size
        return np.concatenate([*orders, np.empty(0, int)])[begin : begin + count]


def _shares(ratios: Sequence[float], total: int) -> list[int]:
    """Whole numbers in the ratios given that add up to ``total``."""
    ends = np.cumsum(ratios) / np.sum(ratios) * total
    return np.diff([0, *np.rint(ends).astype(int)]).tolist()
