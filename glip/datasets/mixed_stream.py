"""Streams and data sets with an index, mixed by shares."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glip.datasets.concat import joint_metainfo
from glip.datasets.seeding import derived_seed, drawn_with
from glip.datasets.stream import SampleStream
from glip.errors import ConfigError
from glip.registry import DATASETS


@DATASETS.register_module()
class MixedStream(SampleStream):
    """Samples of several sources in given shares, without end.

    Sources with an index are gone through in random order, again and again; streams
    flow. Batches that are made of it hold samples of all kinds.

    Args:
        datasets: Data sets or their configs, of either kind.
        ratios: Share of each, in any unit; by default all the same.
        group_size: The batch size, to make batches of upright or of lying pictures
            only, which saves padding; 0 takes samples as they come.
        epoch_size: See :class:`SampleStream`.
        seed: See :class:`SampleStream`.

    Raises:
        ConfigError: The ratios do not fit.
    """

    def __init__(
        self,
        datasets: Sequence[Any],
        ratios: Sequence[float] | None = None,
        group_size: int = 0,
        epoch_size: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(epoch_size, seed)
        ratios = [1.0] * len(datasets) if ratios is None else list(ratios)
        if not datasets or len(ratios) != len(datasets) or min(ratios) <= 0:
            raise ConfigError(
                f'MixedStream: ratios={ratios} must have a share above 0 for each of '
                f'the {len(datasets)} data sets'
            )
        self.datasets = [
            DATASETS.build(d) if isinstance(d, Mapping) else d for d in datasets
        ]
        for dataset in self.datasets:
            if hasattr(dataset, 'full_init'):
                dataset.full_init()
        self.shares = np.array(ratios) / sum(ratios)
        self.group_size = group_size

    @property
    def metainfo(self) -> dict[str, Any]:
        """All class names in order of appearance, and each part's own metainfo."""
        return joint_metainfo(self.datasets)

    def packed(self, seed: int, place: int, places: int) -> Iterator[Any]:
        """Draw the source, then its next sample."""
        mixed = self._mixed(seed, place, places)
        return _grouped(mixed, self.group_size) if self.group_size > 1 else mixed

    def _mixed(self, seed: int, place: int, places: int) -> Iterator[Any]:
        sources = [
            dataset.packed(derived_seed(seed, i), place, places)
            if isinstance(dataset, SampleStream)
            else _endless(dataset, derived_seed(seed, i), place, places)
            for i, dataset in enumerate(self.datasets)
        ]
        rng = np.random.default_rng([seed, place])
        while True:
            yield next(sources[rng.choice(len(sources), p=self.shares)])


def _endless(dataset: Any, seed: int, place: int, places: int) -> Iterator[Any]:
    """Samples of a data set with an index, every n-th of each shuffled pass."""
    # Places behind the data would starve, so passes are joined before they are shared.
    order = itertools.chain.from_iterable(
        np.random.default_rng([seed, turn]).permutation(len(dataset)).tolist()
        for turn in itertools.count()
    )
    mine = itertools.islice(order, place, None, places)
    for number, index in enumerate(mine):
        with drawn_with(derived_seed(seed, place, number)):
            sample = dataset[index]
        yield sample


def _grouped(samples: Iterator[Any], size: int) -> Iterator[Any]:
    """The same samples in runs of ``size`` that are all upright or all lying."""
    waiting = defaultdict(list)
    for sample in samples:
        height, width = sample['inputs'].shape[-2:]
        group = waiting[width < height]
        group.append(sample)
        if len(group) == size:
            yield from group
            group.clear()
