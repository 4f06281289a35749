"""Training loops that go on in the middle of an epoch as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop as _EpochBasedTrainLoop
from mmengine.runner import IterBasedTrainLoop as _IterBasedTrainLoop
from torch.utils.data import DataLoader

from glip.datasets.samplers import ResumableBatchSampler, SeededSampler
from glip.datasets.seeding import derived_seed
from glip.datasets.stream import SampleStream
from glip.errors import ConfigError
from glip.registry import LOOPS


@LOOPS.register_module()
class EpochBasedTrainLoop(_EpochBasedTrainLoop):
    """mmengine's loop, in which every step depends on the seed and its number alone.

    A training that goes on from a checkpoint within an epoch continues with the next
    batch of that epoch; what came before is not read again. Dropout, drop path and
    DropBlock are drawn anew from seed, process and step, so that they do not depend
    on how often the training was interrupted.

    Raises:
        ConfigError: The data has no end.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not _has_end(self.dataloader):
            raise ConfigError(
                'the training data has no end: train by iterations (train_cfg='
                "dict(type='IterBasedTrainLoop', max_iters=...)), or give a stream an "
                'epoch_size'
            )

    def run(self) -> torch.nn.Module:
        """Train from where the counters are."""
        _settle_seed(self.dataloader, self.runner)
        if isinstance(self.dataloader.dataset, SampleStream):
            _skip(self.dataloader, self._iter)
        return super().run()

    def run_epoch(self) -> None:
        """Train one epoch, or what is left of it."""
        first = self._first_batch()
        if first:
            print_log(f'going on at batch {first + 1} of the epoch', 'current')
            _skip(self.dataloader, first)
        _set_epoch(self.dataloader, self._epoch)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for i, data_batch in enumerate(self.dataloader, first):
            self.run_iter(i, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _first_batch(self) -> int:
        """Where in this epoch the counter of steps stands."""
        if isinstance(self.dataloader.dataset, SampleStream):
            return 0
        first = self._iter - self._epoch * len(self.dataloader)
        if 0 <= first < len(self.dataloader):
            return first
        # Batches or processes are not as many as before.
        print_log(
            f'epoch {self._epoch + 1} has {len(self.dataloader)} batches and does not '
            f'hold step {self._iter}: it starts from its beginning',
            'current',
        )
        self._iter = self._epoch * len(self.dataloader)
        return 0

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """One step."""
        _seed_step(self.runner, self._iter)
        super().run_iter(idx, data_batch)


@LOOPS.register_module()
class IterBasedTrainLoop(_IterBasedTrainLoop):
    """mmengine's loop, in which every step depends on the seed and its number alone.

    See :class:`EpochBasedTrainLoop`. Passes over a finite data set follow each other
    without the pause and the warning of mmengine's loop.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dataloader_iterator = _Passes(self.dataloader)

    def run(self) -> torch.nn.Module:
        """Train from where the counter is."""
        _settle_seed(self.dataloader, self.runner)
        return super().run()

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """One step."""
        _seed_step(self.runner, self._iter)
        super().run_iter(data_batch)


class _Passes:
    """Batches of a loader over and over, each pass in an order of its own."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader
        self._batches: Iterator[Any] | None = None
        self._epoch = 0

    def __iter__(self) -> _Passes:
        return self

    def __next__(self) -> Any:
        if self._batches is None:
            self._start()
        try:
            return next(self._batches)
        except StopIteration:
            self._epoch += 1
            self._start()
            return next(self._batches)

    def skip_iter(self, num_iters: int) -> None:
        """Go to a step without reading the data of those before it."""
        if _has_end(self._loader):
            self._epoch, num_iters = divmod(num_iters, len(self._loader))
        _skip(self._loader, num_iters)
        self._batches = None

    def _start(self) -> None:
        _set_epoch(self._loader, self._epoch)
        self._batches = iter(self._loader)


def _has_end(loader: DataLoader) -> bool:
    """Whether a pass over a loader ends."""
    if isinstance(loader.dataset, SampleStream):
        return loader.dataset.epoch_size is not None
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return not isinstance(getattr(sampler, 'sampler', sampler), InfiniteSampler)


def _set_epoch(loader: DataLoader, epoch: int) -> None:
    """Order the next pass by its number."""
    if isinstance(loader.dataset, SampleStream):
        loader.dataset.set_epoch(epoch)
        return
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if hasattr(sampler, 'set_epoch'):
        sampler.set_epoch(epoch)


def _skip(loader: DataLoader, num_batches: int) -> None:
    """Leave out batches at the beginning of the next pass."""
    if isinstance(loader.batch_sampler, ResumableBatchSampler):
        loader.batch_sampler.skip(num_batches)
    elif isinstance(loader.dataset, SampleStream):
        loader.dataset.start_at(num_batches)
    elif num_batches:
        print_log(
            'the data loader cannot start in the middle: it starts from its beginning',
            'current',
        )


def _settle_seed(loader: DataLoader, runner: Any) -> None:
    """Draw with the seed of the run that is resumed; the loader was built before."""
    if runner._randomness_cfg.get('diff_rank_seed', False):
        return
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    for part in (sampler, loader.dataset):
        if isinstance(part, (SeededSampler, SampleStream)):
            part.set_seed(runner.seed)


def _seed_step(runner: Any, step: int) -> None:
    torch.manual_seed(derived_seed(runner.seed, runner.rank, step))
