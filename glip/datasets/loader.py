"""Data loaders whose samples have seeds, and which can start within an epoch."""

from __future__ import annotations

from typing import Any

from mmengine.dist import sync_random_seed
from mmengine.registry import DATA_SAMPLERS, DATASETS
from mmengine.runner import Runner
from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from glip.datasets.samplers import ResumableBatchSampler, SeededSampler
from glip.datasets.seeding import SeededDataset
from glip.errors import ConfigError

# What torch refuses where no worker is; a config of many workers sets it.
_OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'multiprocessing_context')


def build_dataloader(
    dataloader: DataLoader | dict[str, Any],
    seed: int | None = None,
    diff_rank_seed: bool = False,
) -> DataLoader:
    """Mmengine's ``Runner.build_dataloader`` around samplers of any type with seeds.

    Args:
        dataloader: Its config, or a loader, which is passed through. With
            ``num_workers=0`` options of workers have no effect.
        seed: Of the run.
        diff_rank_seed: Whether each process has a seed of its own; the samplers then
            agree on one.

    Raises:
        ConfigError: A stream is to be sampled.
    """
    if isinstance(dataloader, dict):
        dataloader = _seeded(dataloader, None if diff_rank_seed else seed)
        if not dataloader.get('num_workers'):
            for option in _OF_WORKERS:
                dataloader.pop(option, None)
    return Runner.build_dataloader(dataloader, seed, diff_rank_seed)


def _seeded(config: dict[str, Any], seed: int | None) -> dict[str, Any]:
    """The config with what decides on the samples built."""
    config = dict(config)
    dataset = config['dataset']
    if isinstance(dataset, dict):
        dataset = DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
    if isinstance(dataset, IterableDataset):
        if config.get('sampler') or config.get('batch_sampler'):
            raise ConfigError(
                f'{type(dataset).__name__} is a stream, which is not sampled: set '
                'sampler=None and batch_sampler=None in its data loader'
            )
        return dict(config, dataset=dataset, sampler=None)
    if 'num_batch_per_epoch' in config or not isinstance(config.get('sampler'), dict):
        return dict(config, dataset=dataset)
    seed = sync_random_seed() if seed is None else seed
    dataset = SeededDataset(dataset)
    sampler = SeededSampler(
        DATA_SAMPLERS.build(
            config['sampler'], default_args=dict(dataset=dataset, seed=seed)
        ),
        seed,
    )
    batch_size = config.pop('batch_size', 1)
    batches = config.pop('batch_sampler', None)
    if batches is None:
        batches = BatchSampler(sampler, batch_size, config.pop('drop_last', False))
    else:
        batches = DATA_SAMPLERS.build(
            batches, default_args=dict(sampler=sampler, batch_size=batch_size)
        )
    return dict(
        config,
        dataset=dataset,
        sampler=sampler,
        batch_sampler=ResumableBatchSampler(batches),
    )
