"""Recall@k of phrases on cases counted by hand."""

import pytest
import torch

from glip.errors import ConfigError
from glip.evaluation import Flickr30kMetric
from glip.registry import METRICS

FAR = [200.0, 200.0, 210.0, 210.0]


def sample(found, truth):
    """Data sample from (box, score, phrase) and (box, phrase) rows."""
    boxes, scores, labels = zip(*found) if found else ((), (), ())
    true_boxes, phrases = zip(*truth) if truth else ((), ())
    return dict(
        pred_instances=dict(
            bboxes=torch.tensor(boxes).reshape(-1, 4),
            scores=torch.tensor(scores),
            labels=torch.tensor(labels, dtype=torch.long),
        ),
        gt_instances=dict(
            bboxes=torch.tensor(true_boxes).reshape(-1, 4),
            labels=torch.tensor(phrases, dtype=torch.long),
        ),
    )


def evaluate(samples, **kwargs):
    metric = Flickr30kMetric(**kwargs)
    metric.process({}, samples)
    return metric.evaluate(size=len(samples))


BOX = [0.0, 0.0, 10.0, 10.0]
OTHER = [50.0, 50.0, 60.0, 60.0]


def test_rank_of_the_first_hit_decides():
    samples = [
        sample([(BOX, 0.9, 0)], [(BOX, 0)]),  # found first
        sample([(FAR, 0.2, 0), (FAR, 0.8, 0), (BOX, 0.5, 0)], [(BOX, 0)]),  # second
        sample([(BOX, 0.9, 1)], [(BOX, 0)]),  # the box is of another phrase
        sample([], [(BOX, 0)]),  # nothing was found
    ]
    result = evaluate(samples, topk=(1, 2, -1))
    assert result == {
        'flickr30k/R@1': 25.0,
        'flickr30k/R@2': 50.0,
        'flickr30k/upper_bound': 50.0,
        'flickr30k/phrases': 4,
    }


def test_every_phrase_of_a_caption_counts():
    result = evaluate(
        [sample([(BOX, 0.9, 0), (FAR, 0.8, 2)], [(BOX, 0), (OTHER, 2), (OTHER, 0)])],
        topk=(1,),
    )
    assert result['flickr30k/R@1'] == 50.0
    assert result['flickr30k/phrases'] == 2


def test_overlap_threshold():
    half = [0.0, 0.0, 10.0, 5.0]  # IoU exactly 0.5
    less = [0.0, 0.0, 10.0, 4.9]
    assert evaluate([sample([(half, 1.0, 0)], [(BOX, 0)])])['flickr30k/R@1'] == 100
    assert evaluate([sample([(less, 1.0, 0)], [(BOX, 0)])])['flickr30k/R@1'] == 0
    strict = evaluate([sample([(half, 1.0, 0)], [(BOX, 0)])], iou_thrs=0.6)
    assert strict['flickr30k/R@1'] == 0


def test_merged_boxes_are_one_that_encloses_all():
    both = [0.0, 0.0, 60.0, 60.0]
    truth = [(BOX, 0), (OTHER, 0)]
    separate = [sample([(BOX, 0.9, 0)], truth)]
    united = [sample([(both, 0.9, 0)], truth)]
    assert evaluate(separate)['flickr30k/R@1'] == 100
    assert evaluate(separate, merge_boxes=True)['flickr30k/R@1'] == 0
    assert evaluate(united)['flickr30k/R@1'] == 0
    assert evaluate(united, merge_boxes=True)['flickr30k/R@1'] == 100


def test_phrase_ids_of_mmdets_records_go_before_labels():
    item = sample([(BOX, 0.9, 1)], [(BOX, 0)])
    item['phrase_ids'] = [1]
    assert evaluate([item])['flickr30k/R@1'] == 100


def test_batches_do_not_matter():
    samples = [
        sample([(FAR, 0.9, 0), (BOX, 0.4, 0)], [(BOX, 0)]),
        sample([(BOX, 0.9, 0)], [(BOX, 0)]),
        sample([], []),
    ]
    metric = METRICS.build(dict(type='Flickr30kMetric'))
    for item in samples:
        metric.process({}, [item])
    assert metric.evaluate(3) == evaluate(samples)


@pytest.mark.parametrize('wrong', [dict(topk=()), dict(topk=(0,)), dict(iou_thrs=2)])
def test_wrong_arguments(wrong):
    with pytest.raises(ConfigError):
        Flickr30kMetric(**wrong)
