import pytest
import torch
from mmdet.models.dense_heads import atss_vlfusion_head
from mmengine.structures import InstanceData

from benchmarks.speed.agreement import (
    Disagreement,
    detections_agree,
    losses_agree,
    matches,
)
from benchmarks.speed.peer import mended
from benchmarks.speed.subjects import COCO, LVIS, SHORT, prepare, training_batch

from .conftest import SIZE


@pytest.mark.parametrize('names', [COCO, SHORT, LVIS[:40]])
def test_same_detections(subjects, names):
    batch = prepare(subjects.ours, SIZE, names, batch=2)
    subjects.calibrate(batch)
    agreement = detections_agree(subjects, batch)
    assert agreement.logits < 1e-4
    assert agreement.matched == agreement.total > 0


def test_no_score_lies_at_the_threshold(subjects):
    batch = prepare(subjects.ours, SIZE, COCO)
    subjects.calibrate(batch)
    with torch.no_grad():
        inputs, samples = batch.fresh()
        logits, _, _ = subjects.ours(inputs, samples, mode='tensor')
    prompt = subjects.ours.prompts_of(samples[0])[0]
    named = sorted({token for tokens in prompt.entity_tokens for token in tokens})
    logits = torch.cat(logits, 1)[..., named]
    distance = logits - torch.logit(torch.tensor(0.05))
    assert 0 < (distance > 0).sum() < distance.numel()
    assert distance.abs().min() > 1e-4


def test_same_losses_and_gradients(trainable):
    seen = losses_agree(trainable, lambda: training_batch(SIZE, boxes=3))
    assert seen.startswith('losses')
    assert trainable.ours.training and trainable.peer.training


def test_other_weights_are_noticed(trainable):
    with torch.no_grad():
        trainable.peer.bbox_head.head.dyhead_tower[-1].offset.bias.add_(0.5)
    batch = prepare(trainable.ours, SIZE, COCO)
    trainable.calibrate(batch)
    with pytest.raises(Disagreement, match='logits'):
        detections_agree(trainable, batch)
    with pytest.raises(Disagreement, match='losses'):
        losses_agree(trainable, lambda: training_batch(SIZE, boxes=3))


def test_another_tokenizer_is_noticed(fresh):
    fresh.peer.language_model.tokenizer.backend_tokenizer.normalizer = None
    batch = prepare(fresh.ours, SIZE, ['Cat', 'Dog'])
    with pytest.raises(Disagreement, match='tokens'):
        detections_agree(fresh, batch)


def test_mmdet_is_as_it_was_afterwards():
    before = dict(vars(atss_vlfusion_head))
    with mended():
        assert vars(atss_vlfusion_head)['VLFuse'] is not before['VLFuse']
    assert vars(atss_vlfusion_head) == before


def detections(boxes, scores, labels) -> InstanceData:
    return InstanceData(
        bboxes=torch.tensor(boxes).float().view(-1, 4),
        scores=torch.tensor(scores),
        labels=torch.tensor(labels),
    )


def test_matches_use_each_detection_once():
    theirs = detections([[0, 0, 9, 9], [0, 0, 9, 9]], [0.5, 0.5], [1, 1])
    assert matches(theirs, theirs) == 2
    assert matches(detections([[0, 0, 9, 9]], [0.5], [1]), theirs) == 1


@pytest.mark.parametrize(
    'box, score, label',
    [([0, 0, 9, 7], 0.5, 1), ([0, 0, 9, 9], 0.6, 1), ([0, 0, 9, 9], 0.5, 2)],
)
def test_matches_need_box_score_and_label(box, score, label):
    theirs = detections([[0, 0, 9, 9]], [0.5], [1])
    assert matches(detections([box], [score], [label]), theirs) == 0
    assert matches(detections([], [], []), theirs) == 0
