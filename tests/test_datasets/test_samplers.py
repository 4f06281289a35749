"""Shares are kept, seeds follow the place, and a pass may start in its middle."""

import pickle
import random

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, DefaultSampler
from torch.utils.data import BatchSampler, DataLoader

from glip.datasets import ConcatDataset, MixtureSampler
from glip.datasets.loader import build_dataloader
from glip.datasets.samplers import ResumableBatchSampler, SeededSampler
from glip.datasets.seeding import (
    SeededDataset,
    SeededIndex,
    derived_seed,
    drawn_with,
)
from glip.errors import ConfigError


class Numbers(BaseDataset):
    """Gives its number and what all three generators draw."""

    def __init__(self, size):
        self.size = size
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [dict(number=i) for i in range(self.size)]

    def prepare_data(self, idx):
        drawn = random.random(), np.random.random(), float(torch.rand(()))
        return (int(idx), *drawn)


class Sized(list):
    """A list that has an epoch's ends, as a ConcatDataset."""

    def __init__(self, *sizes):
        super().__init__(range(sum(sizes)))
        self.cumulative_sizes = np.cumsum(sizes).tolist()


def parts_of(indices, sizes):
    return np.bincount(
        np.searchsorted(np.cumsum(sizes), indices, side='right'), minlength=len(sizes)
    ).tolist()


def test_shares_are_exact():
    sampler = MixtureSampler(Sized(10, 100, 5), [1, 2, 1], epoch_size=40, seed=0)
    indices = list(sampler)
    assert len(sampler) == 40
    assert parts_of(indices, [10, 100, 5]) == [10, 20, 10]
    assert sorted(i for i in indices if i < 10) == list(range(10))


def test_nothing_comes_again_before_all_came():
    sampler = MixtureSampler(Sized(10, 30), [1, 1], epoch_size=20, seed=0)
    seen = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        seen += list(sampler)
    assert sorted(i for i in seen if i >= 10) == list(range(10, 40))
    first, second = list(sampler), list(sampler)
    assert first == second
    sampler.set_epoch(0)
    assert list(sampler) != first


def test_ranks_share_an_epoch(monkeypatch):
    seen = []
    for rank in range(2):
        monkeypatch.setattr(
            'glip.datasets.samplers.get_dist_info', lambda rank=rank: (rank, 2)
        )
        sampler = MixtureSampler(Sized(4, 4), [3, 1], epoch_size=8, seed=0)
        assert len(sampler) == 4
        seen += list(sampler)
    assert parts_of(seen, [4, 4]) == [6, 2]


@pytest.mark.parametrize('ratios', [[1], [0, 0], [1, -1], [1, float('nan')]])
def test_wrong_ratios(ratios):
    with pytest.raises(ConfigError, match='ratios'):
        MixtureSampler(Sized(4, 4), ratios, seed=0)


def test_only_parts_can_be_mixed():
    with pytest.raises(ConfigError, match='ConcatDataset'):
        MixtureSampler(Numbers(4), [1], seed=0)
    both = ConcatDataset([Numbers(3), Numbers(5)])
    assert MixtureSampler(both, [1, 1], seed=0).sizes == [3, 5]


def test_seeds_follow_epoch_and_place():
    sampler = SeededSampler(DefaultSampler(Numbers(6), shuffle=False), seed=1)
    first = [(int(i), i.seed) for i in sampler]
    assert [i for i, _ in first] == list(range(6))
    assert len({seed for _, seed in first}) == 6
    assert [(int(i), i.seed) for i in sampler] == first
    sampler.set_epoch(1)
    assert not {i.seed for i in sampler} & {seed for _, seed in first}
    sampler.set_epoch(0)
    sampler.set_seed(2)
    assert sampler.sampler.seed == 2
    assert not {i.seed for i in sampler} & {seed for _, seed in first}


def test_an_index_keeps_its_seed_on_the_way_to_a_worker():
    index = pickle.loads(pickle.dumps(SeededIndex(7, 2**62)))
    assert index == 7 and index.seed == 2**62
    assert derived_seed(1, 2) != derived_seed(2, 1)


def test_drawing_leaves_the_generators_as_they_were():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with drawn_with(5):
        inside = random.random(), np.random.random(), float(torch.rand(()))
    after = random.random(), np.random.random(), float(torch.rand(()))
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    assert after == (random.random(), np.random.random(), float(torch.rand(())))
    with drawn_with(5):
        again = random.random(), np.random.random(), float(torch.rand(()))
    assert again == inside


def test_the_wrapper_is_its_data_set():
    inner = Numbers(4)
    wrapped = SeededDataset(inner)
    assert len(wrapped) == 4
    assert wrapped.metainfo == inner.metainfo
    assert pickle.loads(pickle.dumps(wrapped)).size == 4
    wrapped.size = 9  # hooks that change a data set mean the one inside
    assert inner.size == 9


def loader(workers, **kwargs):
    return build_dataloader(
        dict(
            dataset=Numbers(7),
            batch_size=2,
            num_workers=workers,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=list,
            **kwargs,
        ),
        seed=11,
    )


def test_samples_do_not_depend_on_workers():
    alone, helped = list(loader(0)), list(loader(2))
    assert alone == helped
    assert [len(batch) for batch in alone] == [2, 2, 2, 1]
    assert len(loader(0)) == 4
    assert len(list(loader(0, drop_last=True))) == 3


def test_a_pass_starts_where_it_is_told_once():
    whole = loader(0)
    batches = list(whole)
    whole.batch_sampler.skip(2)
    assert list(whole) == batches[2:]
    assert list(whole) == batches
    plain = ResumableBatchSampler(BatchSampler(range(5), 2, False))
    assert plain.batch_size == 2 and len(plain) == 3


def test_a_loader_passes_through():
    made = DataLoader([1, 2])
    assert build_dataloader(made) is made


def test_without_workers_their_options_have_no_effect():
    loader = build_dataloader(
        {
            'dataset': Numbers(4),
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
            'collate_fn': {'type': 'pseudo_collate'},
            'num_workers': 0,
            'persistent_workers': True,
            'prefetch_factor': 4,
            'multiprocessing_context': 'spawn',
        }
    )
    assert len(list(loader)) == 4
