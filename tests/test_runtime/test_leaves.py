"""Wrapped data sets and their configs are walked alike."""

from types import SimpleNamespace

import pytest

from glip.runtime.leaves import iter_leaves, iter_paths


def _config(**fields):
    return fields


@pytest.mark.parametrize('wrap', [_config, SimpleNamespace])
def test_leaves_come_in_order_through_all_wrappers(wrap):
    first, second, third = (wrap(ann_file=name) for name in 'abc')
    repeated = wrap(dataset=second, times=2)
    mixed = wrap(dataset=wrap(datasets=[first, repeated]), pipeline=[])
    assert list(iter_leaves(wrap(datasets=[mixed, third]))) == [first, second, third]
    assert list(iter_leaves(first)) == [first]
    *wrappers, leaf = list(iter_paths(mixed))[1]
    assert leaf is second
    assert wrappers == [
        mixed,
        mixed['dataset'] if wrap is _config else mixed.dataset,
        repeated,
    ]


def test_an_empty_wrapper_is_a_leaf():
    assert list(iter_leaves({'datasets': []})) == [{'datasets': []}]
    assert list(iter_leaves([])) == [[]]
