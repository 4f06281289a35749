import threading
from types import SimpleNamespace

import pytest
import torch

from glip.runtime.feature_cache import FeatureCache, Recent


def count(values):
    """A function that computes the next value, and how often it did."""
    calls = []

    def compute():
        calls.append(1)
        return next(values)

    return compute, calls


def test_the_least_recently_used_goes_first():
    recent = Recent(2)
    for key in 'abac':
        recent.get(key, lambda key=key: key.upper())
    assert len(recent) == 2
    assert recent.get('a', pytest.fail) == 'A'
    assert recent.get('b', lambda: 'again') == 'again'


def test_weights_are_limited_but_for_the_latest():
    recent = Recent(10, total=5, weight=len)
    for key in ('xx', 'yyy', 'zzzz'):
        recent.get(key, lambda key=key: key)
    assert len(recent) == 1
    recent.get('w' * 9, lambda: 'w' * 9)
    assert recent.get('w' * 9, pytest.fail) == 'w' * 9


def test_a_failure_leaves_nothing_behind():
    recent = Recent(2)
    with pytest.raises(ZeroDivisionError):
        recent.get('a', lambda: 1 / 0)
    assert recent.get('a', lambda: 1) == 1


def test_texts_count_by_their_prompts():
    cache = FeatureCache(texts=9, prompts=3)
    for key, prompts in (('a', 2), ('b', 2)):
        text = SimpleNamespace(mask=torch.ones(prompts, 4))
        cache.texts.get(key, lambda text=text: text)
    assert len(cache.texts) == 1


def test_a_region_is_what_calls_find_in_this_thread_alone():
    cache = FeatureCache()
    assert FeatureCache.current() is not FeatureCache.current()
    seen = []
    with cache.in_use():
        assert FeatureCache.current() is cache
        with FeatureCache().in_use():
            assert FeatureCache.current() is not cache
        assert FeatureCache.current() is cache
        thread = threading.Thread(target=lambda: seen.append(FeatureCache.current()))
        thread.start()
        thread.join()
    assert seen[0] is not cache
    assert FeatureCache.current() is not cache


@torch.no_grad()
def test_new_weights_make_it_forget():
    cache, model = FeatureCache(), torch.nn.BatchNorm1d(2)
    for change in (
        lambda: model.weight.mul_(2),
        lambda: model.running_mean.add_(1),
        lambda: model.load_state_dict(model.state_dict()),
        lambda: model.to(torch.float64),
    ):
        with cache.in_use(model):
            cache.texts.get('a', lambda: SimpleNamespace(mask=[0]))
        with cache.in_use(model):
            cache.texts.get('a', pytest.fail)
        change()
        with cache.in_use(model):
            assert len(cache.texts) == 0


def test_the_picture_of_the_call_before_is_known_by_key_and_pixels():
    cache = FeatureCache()
    compute, calls = count(iter(range(9)))
    batch = torch.rand(2, 3, 4, 4)
    first = batch[:1]
    assert cache.picture('a', first, compute) == 0
    assert cache.picture('a', first.clone(), compute) == 0
    assert cache.picture('b', first, compute) == 1
    assert cache.picture('b', batch[1:], compute) == 2
    assert cache.picture('b', first, compute) == 3  # only the last one is kept
    assert len(calls) == 4


def test_a_picture_that_is_kept_does_not_keep_its_batch():
    cache, batch = FeatureCache(), torch.rand(2, 3, 4, 4)
    expected = batch[:1].clone()
    cache.picture('a', batch[:1], lambda: 1)
    batch.zero_()  # as the next batch is written over it
    assert cache.picture('a', expected, pytest.fail) == 1
