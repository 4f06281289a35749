"""The losses of the head by hand: focal, GIoU, centerness, and what divides them."""

import math
from dataclasses import replace

import pytest
import torch
from mmdet.models import losses as mmdet_losses

from glip.models import ATSSVLFusionHead, FocalLoss, GIoULoss
from glip.models.dense_heads import GroundTruth
from glip.models.dense_heads.anchors import inclusive_anchors
from glip.models.dense_heads.targets import centerness_target
from glip.registry import MODELS

from .conftest import build, sample, tiny, with_boxes


def head(**changes):
    return build(
        dict(
            tiny().bbox_head,
            anchor_generator=dict(
                type='AnchorGenerator',
                ratios=[1.0],
                octave_base_scale=8,
                scales_per_octave=1,
                strides=[8],
                center_offset=0.5,
            ),
            num_dyhead_blocks=1,
        )
        | changes
    )


def focal(probability, positive):
    right = probability if positive else 1 - probability
    return (0.25 if positive else 0.75) * (1 - right) ** 2 * -math.log(right)


def bce(logit, target):
    return math.log1p(math.exp(-abs(logit))) + max(logit, 0) - logit * target


# One row of three anchors, 64 pixels wide, 8 pixels apart; boxes are those anchors.
ANCHOR = torch.tensor([[-28.0, -28, 35, 35]])
FIRST, SECOND = ANCHOR.clone(), ANCHOR + torch.tensor([8.0, 0, 8, 0])


def truth_of(*pictures, tokens=2):
    count = max(map(len, pictures)) + 1
    boxes = torch.zeros(len(pictures), count, 4)
    words = torch.zeros(len(pictures), count, tokens, dtype=torch.bool)
    for i, picture in enumerate(pictures):
        for j, (box, token) in enumerate(picture):
            boxes[i, j] = box
            words[i, j, token] = True
    return GroundTruth(boxes, words)


def losses_of(truth, logits, deltas=None, centerness=None, mask=None, **changes):
    batch = len(truth.boxes)
    deltas = torch.zeros(batch, 4, 1, 3) if deltas is None else deltas
    centerness = torch.zeros(batch, 1, 1, 3) if centerness is None else centerness
    mask = torch.ones(batch, logits.shape[-1]).bool() if mask is None else mask
    built = head(**changes)
    return built.loss_by_feat([logits], [deltas], [centerness], mask, truth)


def test_anchors_include_their_last_pixel():
    generator = head().prior_generator
    (anchors,) = inclusive_anchors(generator, [(1, 2)], torch.device('cpu'))
    assert anchors.tolist() == [FIRST[0].tolist(), SECOND[0].tolist()]


def test_tokens_of_two_pictures_share_one_divisor():
    """Three positive anchors in all; a token that is padding costs nothing."""
    truth = truth_of([(FIRST, 0), (SECOND, 1)], [(FIRST, 1)])
    probability = torch.tensor(
        [
            [[0.9, 0.2], [0.3, 0.6], [0.1, 0.1]],
            [[0.5, 0.7], [0.4, 0.2], [0.3, 0.3]],
        ]
    )
    mask = torch.tensor([[True, True], [False, True]])
    found = losses_of(truth, probability.logit(), mask=mask)
    yes = {(0, 0, 0), (0, 1, 1), (1, 0, 1)}
    expected = sum(
        focal(probability[i, a, t].item(), (i, a, t) in yes)
        for i in range(2)
        for a in range(3)
        for t in range(2)
        if mask[i, t]
    )
    assert found['loss_cls'].item() == pytest.approx(expected / 3, rel=1e-5)


def test_masked_tokens_get_no_gradient():
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    mask = torch.tensor([[True, False]])
    losses_of(truth_of([(FIRST, 0)]), logits, mask=mask)['loss_cls'].backward()
    assert (logits.grad[..., 0] != 0).all()
    assert (logits.grad[..., 1] == 0).all()


def test_boxes_weigh_as_their_anchors_are_central():
    """GIoU twice (the loss weight), averaged with the centerness as weights."""
    # Its center is 16 pixels to the right of the box's, 32 pixels from the edges.
    wide = FIRST - torch.tensor([16.0, 0, 16, 0])
    truth = truth_of([(wide, 0)], [(FIRST, 0), (SECOND, 1)])
    near, far = 31.5 - 16, 31.5 + 16
    weights = [math.sqrt(near / far), 1.0, 1.0]
    deltas = torch.zeros(2, 4, 1, 3)
    # The second picture's first box comes out 2 pixels to the right of its anchor.
    deltas[1, 0, 0, 0] = 10 * 2 / 64

    def giou(shift):  # of two squares of 63 (sizes carry no one here) side by side
        overlap, hull = 63 * (63 - shift), 63 * (63 + shift)
        union = 2 * 63**2 - overlap
        return overlap / union - (hull - union) / hull

    losses = [1 - giou(16), 1 - giou(2), 0.0]
    expected = 2 * sum(w * x for w, x in zip(weights, losses, strict=True))
    found = losses_of(truth, torch.zeros(2, 3, 2), deltas)
    assert found['loss_bbox'].item() == pytest.approx(expected / sum(weights), rel=1e-4)


def test_centerness_is_a_binary_loss_over_positives():
    wide = FIRST - torch.tensor([16.0, 0, 16, 0])
    truth = truth_of([(wide, 0)], [(FIRST, 0)])
    logits = torch.tensor([[2.0, 9, 9], [-1, 9, 9]]).view(2, 1, 1, 3)
    found = losses_of(truth, torch.zeros(2, 3, 2), centerness=logits)
    target = math.sqrt(15.5 / 47.5)
    expected = (bce(2.0, target) + bce(-1.0, 1.0)) / 2
    assert found['loss_centerness'].item() == pytest.approx(expected, rel=1e-5)


def test_pictures_without_boxes_only_deny_words():
    logits = torch.full((2, 3, 2), -1.0)
    inputs = [torch.zeros(2, 4, 1, 3), torch.zeros(2, 1, 1, 3)]
    inputs = [logits, *inputs]
    for x in inputs:
        x.requires_grad_()
    found = losses_of(truth_of([], []), *inputs)
    sure = focal(torch.tensor(-1.0).sigmoid().item(), False)
    assert found['loss_cls'].item() == pytest.approx(12 * sure, rel=1e-5)
    assert found['loss_bbox'] == found['loss_centerness'] == 0
    sum(found.values()).backward()
    assert (logits.grad > 0).all()
    assert all((x.grad == 0).all() for x in inputs[1:])


def test_a_picture_without_boxes_beside_one_with():
    """It adds to the sum over tokens and leaves the divisors alone."""
    logits = torch.full((2, 3, 2), -1.0)
    both = losses_of(truth_of([(FIRST, 0)], []), logits)
    alone = losses_of(truth_of([(FIRST, 0)]), logits[:1])
    sure = focal(torch.tensor(-1.0).sigmoid().item(), False)
    assert both['loss_cls'].item() == pytest.approx(
        alone['loss_cls'].item() + 6 * sure, rel=1e-5
    )
    for key in ('loss_bbox', 'loss_centerness'):
        torch.testing.assert_close(both[key], alone[key])


def test_predictions_of_the_background_that_are_not_finite_do_not_spread():
    deltas, centerness = torch.zeros(1, 4, 1, 3), torch.zeros(1, 1, 1, 3)
    deltas[..., 2], centerness[..., 2] = float('inf'), float('nan')
    deltas.requires_grad_()
    found = losses_of(truth_of([(FIRST, 0)]), torch.zeros(1, 3, 2), deltas, centerness)
    sum(found.values()).backward()
    assert all(value.isfinite() for value in found.values())
    assert deltas.grad.isfinite().all()


def test_fewer_words_than_the_padded_prompt_has_tokens():
    truth = truth_of([(FIRST, 0)], tokens=2)
    wide = losses_of(
        truth,
        torch.zeros(1, 3, 5),
        mask=torch.tensor([[True, True, False, False, False]]),
    )
    narrow = losses_of(truth, torch.zeros(1, 3, 2))
    for key, value in narrow.items():
        torch.testing.assert_close(wide[key], value)


def test_weights_of_the_losses():
    truth = truth_of([(FIRST - 4, 0)])
    plain = losses_of(truth, torch.zeros(1, 3, 2))
    weighted = losses_of(
        truth,
        torch.zeros(1, 3, 2),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, loss_weight=3.0),
        loss_bbox=dict(type='GIoULoss', loss_weight=8.0),
        loss_centerness=dict(
            type='CrossEntropyLoss', use_sigmoid=True, loss_weight=5.0
        ),
    )
    for key, factor in dict(loss_cls=3, loss_bbox=4, loss_centerness=5).items():
        torch.testing.assert_close(weighted[key], plain[key] * factor)


def test_mmdets_losses_and_assigner_give_the_same():
    truth = truth_of([(FIRST - 4, 0), (SECOND, 1)], [(FIRST, 1)])
    logits = torch.randn(2, 3, 2, generator=torch.Generator().manual_seed(0))
    overlaps = dict(type='mmdet.BboxOverlaps2D_GLIP')
    assigner = dict(type='mmdet.ATSSAssigner', topk=9, iou_calculator=overlaps)
    theirs = losses_of(
        truth,
        logits,
        loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True),
        loss_bbox=dict(type='mmdet.GIoULoss', loss_weight=2.0),
        train_cfg=dict(assigner=assigner),
    )
    for key, value in losses_of(truth, logits).items():
        torch.testing.assert_close(value, theirs[key])


def test_names_mean_ours_and_other_forms_are_mmdets():
    with MODELS.switch_scope_and_registry('glip'):
        ours = MODELS.build(dict(type='FocalLoss', use_sigmoid=True, alpha=0.4))
        boxes = MODELS.build(dict(type='GIoULoss', loss_weight=2.0))
    assert type(ours) is FocalLoss and type(boxes) is GIoULoss
    theirs = mmdet_losses.FocalLoss(use_sigmoid=True, alpha=0.4)
    logits, classes = torch.randn(6, 3), torch.tensor([0, 1, 2, 3, 3, 0])
    torch.testing.assert_close(ours(logits, classes), theirs(logits, classes))
    soft = torch.rand(6, 3)
    torch.testing.assert_close(
        ours(logits, soft, avg_factor=4.0), theirs(logits, soft, avg_factor=4.0)
    )
    torch.testing.assert_close(
        ours(logits, soft > 0.5, avg_factor=4.0),
        theirs(logits, (soft > 0.5).float(), avg_factor=4.0),
    )
    one, other, weight = torch.rand(5, 4), torch.rand(5, 4), torch.rand(5)
    expected = mmdet_losses.GIoULoss(loss_weight=2.0)
    for more in ({}, dict(weight=weight, avg_factor=3.0)):
        torch.testing.assert_close(
            boxes(one, other, **more), expected(one, other, **more)
        )


def test_centerness_by_hand():
    boxes = torch.tensor([[0.0, 0, 8, 4]]).repeat(3, 1)
    anchors = torch.tensor([[4.0, 2, 4, 2], [2, 2, 2, 2], [4, 1, 4, 1]])
    expected = torch.tensor([1.0, (2 / 6) ** 0.5, (1 / 3) ** 0.5])
    torch.testing.assert_close(centerness_target(anchors, boxes), expected)


def test_phrases_of_equal_words_train_their_own_tokens():
    """Through the model: the box of the second phrase asks for the second's tokens."""
    torch.manual_seed(0)
    model = build(tiny()).eval()
    caption, spans = 'a cat and a cat', [[[0, 5]], [[10, 15]]]
    seen = []
    model.bbox_head.loss_cls.register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[1])
    )
    for label in (0, 1):
        one = sample((64, 96), caption, tokens_positive=spans)
        with_boxes(one, [[8, 8, 39, 39]], [label])
        model(torch.zeros(1, 3, 64, 96), [one], mode='loss')
    first, second = (x.any(0).nonzero().flatten().tolist() for x in seen)
    assert first == [1, 2]  # [CLS] a cat and a cat [SEP]
    assert second == [4, 5]


def test_a_head_is_built_from_its_fields_alone():
    assert isinstance(head(), ATSSVLFusionHead)


def test_the_weight_of_a_box_is_that_of_its_anchor():
    """What divides the losses is the same with and without weights."""
    truth = truth_of([(FIRST, 0), (SECOND, 1)])
    probability = torch.tensor([[[0.8, 0.3], [0.4, 0.6], [0.1, 0.2]]])
    deltas = torch.zeros(1, 4, 1, 3)
    deltas[0, 0] = torch.tensor([1.0, 2.0, 3.0])
    centerness = torch.tensor([0.5, -1.0, 7.0]).view(1, 1, 1, 3)
    inputs = (probability.logit(), deltas, centerness)
    one = replace(truth, weights=torch.tensor([[1.0, 0.25, 0.0]]))
    full, weighted = losses_of(truth, *inputs), losses_of(one, *inputs)
    none = replace(truth, weights=torch.tensor([[1.0, 0.0, 0.0]]))
    without = losses_of(none, *inputs)
    for name, loss in full.items():
        share = loss - without[name]
        assert share > 0
        assert weighted[name] == pytest.approx((without[name] + share / 4).item())
    second = focal(0.4, False) + focal(0.6, True)
    assert (full['loss_cls'] - without['loss_cls']) * 2 == pytest.approx(second)
    ones = replace(truth, weights=torch.ones(1, 3))
    for name, loss in losses_of(ones, *inputs).items():
        assert loss == pytest.approx(full[name].item(), rel=1e-5)
