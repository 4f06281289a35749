"""Inclusive boxes: by hand, by loops, and as recorded."""

import math

import official
import pytest
import torch

from glip.ops import (
    batched_nms_inclusive,
    clip_inclusive,
    decode_inclusive,
    encode_inclusive,
)


def test_by_hand():
    anchors = torch.tensor([[0.0, 0.0, 9.0, 19.0]])  # 10 x 20 pixels
    boxes = torch.tensor([[5.0, 0.0, 24.0, 19.0]])  # 20 x 20 pixels, 10 to the right
    deltas = encode_inclusive(anchors, boxes)
    expected = torch.tensor([[10 * 10 / 10, 0.0, 5 * math.log(2), 0.0]])
    torch.testing.assert_close(deltas, expected)
    torch.testing.assert_close(decode_inclusive(anchors, deltas), boxes)


def test_each_delta_has_its_weight():
    anchors = torch.tensor([[0.0, 0.0, 9.0, 19.0]])  # 10 x 20 pixels
    boxes = torch.tensor([[3.0, 4.0, 32.0, 83.0]])  # 30 x 80 pixels
    found = encode_inclusive(anchors, boxes)
    expected = [10 * (17.5 - 4.5) / 10, 10 * (43.5 - 9.5) / 20]
    expected += [5 * math.log(3), 5 * math.log(4)]
    torch.testing.assert_close(found, torch.tensor([expected]))
    torch.testing.assert_close(decode_inclusive(anchors, found), boxes)


def test_round_trip():
    corner = torch.rand(50, 2) * 100
    boxes = torch.cat((corner, corner + torch.rand(50, 2) * 60), 1)
    anchors = boxes.roll(1, 0)
    found = decode_inclusive(anchors, encode_inclusive(anchors, boxes))
    torch.testing.assert_close(found, boxes, atol=1e-3, rtol=0)


def test_growth_is_limited_and_shrinking_is_not():
    anchors = torch.tensor([[0.0, 0.0, 15.0, 15.0]]).repeat(2, 1)
    deltas = torch.tensor([[0.0, 0, 500, 500], [0, 0, -500, -500]])
    large, small = decode_inclusive(anchors, deltas)
    assert (large[2] - large[0] + 1).item() == pytest.approx(1000, rel=1e-4)
    assert (small[2] - small[0] + 1).item() == pytest.approx(0, abs=1e-4)


def test_clip_keeps_the_last_pixel():
    boxes = torch.tensor([[-5.0, -1.0, 700.0, 99.0]])
    assert clip_inclusive(boxes, 50, 100).tolist() == [[0, 0, 99, 49]]


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[3]) - max(a[1], b[1]) + 1
    overlap = max(width, 0) * max(height, 0)
    areas = sum((x[2] - x[0] + 1) * (x[3] - x[1] + 1) for x in (a, b))
    return overlap / (areas - overlap)


def test_nms_is_the_greedy_rule_with_plus_one():
    generator = torch.Generator().manual_seed(3)
    corner = torch.randint(0, 30, (60, 2), generator=generator).float()
    size = torch.randint(0, 12, (60, 2), generator=generator).float()
    boxes = torch.cat((corner, corner + size), 1)
    scores = torch.rand(60, generator=generator)
    labels = torch.randint(0, 3, (60,), generator=generator)
    kept = []
    for i in scores.argsort(descending=True).tolist():
        if all(
            labels[i] != labels[j] or iou(boxes[i].tolist(), boxes[j].tolist()) <= 0.437
            for j in kept
        ):
            kept.append(i)
    assert batched_nms_inclusive(boxes, scores, labels, 0.437).tolist() == kept
    assert 5 < len(kept) < 60


def test_no_boxes():
    empty = torch.zeros(0, 4)
    kept = batched_nms_inclusive(empty, empty[:, 0], empty[:, 0].long(), 0.5)
    assert kept.shape == (0,)
    assert decode_inclusive(empty, empty).shape == (0, 4)


def test_recorded_coder_and_nms():
    recorded = official.arrays('ops')
    center = 40 * official.unit('nms.c', (200, 2)) + 160
    size = (10 * official.unit('nms.wh', (200, 2)) + 40).clamp(min=4)
    boxes = torch.cat((center - size / 2, center + size / 2), 1).float()
    scores = (0.5 * official.unit('nms.s', (200,))).sigmoid().float()
    labels = (2 * official.unit('nms.l', (200,)).abs()).int() + 1
    keep = batched_nms_inclusive(boxes, scores, labels, 0.6)
    expected = recorded['nms.keep_official_gpu']
    assert sorted(keep.tolist()) == sorted(expected.tolist())

    anchors, gt = boxes[:64].round(), boxes[64:128]
    torch.testing.assert_close(
        encode_inclusive(anchors, gt),
        torch.from_numpy(recorded['coder.encode']),
        atol=1e-5,
        rtol=0,
    )
    deltas = 4 * official.unit('coder.d', (64, 4)).float()
    deltas[:4], deltas[4:8] = 40, -40
    torch.testing.assert_close(
        decode_inclusive(anchors, deltas),
        torch.from_numpy(recorded['coder.decode']),
        atol=1e-3,
        rtol=1e-5,
    )


def test_nms_tells_a_thousand_classes_apart_exactly():
    """Boxes of classes far from zero are not rounded: those at the threshold stay."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(400, 2, generator=generator) * 1200
    sizes = 3 + torch.rand(400, 2, generator=generator) * 5
    boxes = torch.cat((corners, corners + sizes), 1)
    shift = 0.5 + torch.rand(400, 1, generator=generator) * 2
    boxes = torch.cat((boxes, boxes + shift))
    scores = torch.rand(800, generator=generator)
    first = batched_nms_inclusive(boxes, scores, torch.zeros(800).long(), 0.5)
    last = batched_nms_inclusive(boxes, scores, torch.full((800,), 1202), 0.5)
    assert torch.equal(first, last) and 400 < len(first) < 800
    labels = torch.arange(800) % 2 * 1202
    keep = batched_nms_inclusive(boxes, scores, labels, 0.5)
    alone = [
        rows[batched_nms_inclusive(boxes[rows], scores[rows], labels[rows], 0.5)]
        for rows in (labels.eq(0).nonzero()[:, 0], labels.eq(1202).nonzero()[:, 0])
    ]
    assert set(keep.tolist()) == set(torch.cat(alone).tolist())
