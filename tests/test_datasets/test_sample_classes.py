"""Prompts that vary from look to look."""

import numpy as np
import pytest

from glip.datasets import SampleClasses

NAMES = tuple('abcdefghij')


def sample(labels, names=NAMES):
    labels = np.array(labels, dtype=np.int64)
    boxes = np.arange(4 * len(labels), dtype=np.float32).reshape(-1, 4)
    return {
        'text': names,
        'gt_bboxes_labels': labels,
        'gt_bboxes': boxes,
        'gt_ignore_flags': np.zeros(len(labels), dtype=bool),
    }


def named(results):
    return [results['text'][label] for label in results['gt_bboxes_labels']]


@pytest.mark.parametrize('shuffle', [True, False])
def test_labels_follow_their_names(shuffle):
    transform = SampleClasses(max_classes=6, shuffle=shuffle)
    for _ in range(50):
        results = transform(sample([7, 2, 2, 9]))
        assert named(results) == ['h', 'c', 'c', 'j']
        assert 3 <= len(results['text']) <= 6
        assert len(set(results['text'])) == len(results['text'])
        assert results['gt_bboxes'].shape == (4, 4)
        if not shuffle:
            assert list(results['text']) == sorted(results['text'])


def test_number_of_negatives_varies_within_its_limits():
    transform = SampleClasses(min_negatives=2, max_negatives=4)
    counts = {len(transform(sample([0]))['text']) - 1 for _ in range(100)}
    assert counts == {2, 3, 4}


def test_more_classes_than_fit_lose_their_boxes():
    transform = SampleClasses(max_classes=3)
    kept = set()
    for _ in range(50):
        results = transform(sample([0, 1, 2, 3, 4, 0]))
        assert len(results['text']) == 3
        assert set(named(results)) == set(results['text'])
        assert len(results['gt_bboxes']) == len(results['gt_bboxes_labels'])
        assert len(results['gt_ignore_flags']) == len(results['gt_bboxes'])
        rows = results['gt_bboxes'][:, 0] / 4
        assert [NAMES[[0, 1, 2, 3, 4, 0][int(r)]] for r in rows] == named(results)
        kept |= set(results['text'])
    assert kept == set('abcde')


def test_vocabulary_gives_further_negatives():
    transform = SampleClasses(min_negatives=3, vocabulary=('rabbit', 'cat', 'dog', 'x'))
    seen = set()
    for _ in range(30):
        results = transform(sample([0, 0], names=('rabbit',)))
        assert named(results) == ['rabbit', 'rabbit']
        assert results['text'].count('rabbit') == 1
        seen |= set(results['text'])
    assert seen == {'rabbit', 'cat', 'dog', 'x'}


def test_picture_without_boxes_still_has_words():
    for _ in range(20):
        results = SampleClasses(max_negatives=0)(sample([]))
        assert len(results['text']) == 1 and len(results['gt_bboxes_labels']) == 0


def test_single_class_stays_alone():
    assert SampleClasses()(sample([0], names=('rabbit',)))['text'] == ('rabbit',)


def test_seed_decides():
    def run(seed):
        np.random.seed(seed)
        return [SampleClasses()(sample([1, 5]))['text'] for _ in range(5)]

    assert run(1) == run(1) != run(2)


@pytest.mark.parametrize(
    'wrong',
    [
        {'max_classes': 0},
        {'min_negatives': -1},
        {'min_negatives': 3, 'max_negatives': 2},
    ],
)
def test_limits_must_make_sense(wrong):
    with pytest.raises(ValueError, match='must'):
        SampleClasses(**wrong)
