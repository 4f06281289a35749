"""Final scores and boxes from the maps of the tower, worked by hand.

The tower is replaced by maps in which all positions but a few are background. Of the 32
channels of a position the head reads six: the logit, four box deltas, the logit of
centerness. Anchors of the first level are 64 pixels wide; the one at row y and column x
has its center at (8x + 3.5, 8y + 3.5), as inclusive boxes have.
"""

import dataclasses
import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from glip.models.cpu import use_cpu_kernels
from glip.ops import plain_path

from .conftest import build, sample, tiny

SHAPE = (64, 96)
SIZES = ((8, 12), (4, 6), (2, 3), (1, 2), (1, 1))
ANCHOR = 64.0


class FixedMaps(nn.Module):
    """Tower block that returns fixed maps, whatever its input."""

    def __init__(self, maps):
        super().__init__()
        self.maps = tuple(maps)

    def forward(self, visual):
        return self.maps


def logit(probability):
    return math.log(probability / (1 - probability))


def deltas_to(box, y, x):
    """Deltas from the anchor at (y, x) to an inclusive box, by the paper's formula."""
    width, height = box[2] - box[0] + 1, box[3] - box[1] + 1
    center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (
        10 * (center[0] - (8 * x + 3.5)) / ANCHOR,
        10 * (center[1] - (8 * y + 3.5)) / ANCHOR,
        5 * math.log(width / ANCHOR),
        5 * math.log(height / ANCHOR),
    )


@pytest.fixture(params=['fast', 'plain'])
def kernels(request):
    """The fast kernels and the plain formulas."""
    return nullcontext if request.param == 'fast' else plain_path


@pytest.fixture(params=[False, True], ids=['unfused', 'fused'])
def model(request):
    """Model whose head reads logit, deltas and centerness from channels 0 to 5."""
    torch.manual_seed(0)
    model = use_cpu_kernels(build(tiny(**{'bbox_head.early_fuse': request.param})))
    model.eval()
    head = model.bbox_head.head
    for layer in (head.dot_product_projection_text, head.bbox_pred, head.centerness):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.zeros_(head.bias_lang)
    nn.init.zeros_(head.bias0)
    with torch.no_grad():
        head.dot_product_projection_text.bias[0] = 1
        for i in range(4):
            head.bbox_pred.weight[i, 1 + i] = 1
        head.centerness.weight[0, 5] = 1
    return model


def detect(model, kernels, positions, *, shape=SHAPE, text=('cat',), **test_cfg):
    """Detections where ``positions`` maps (level, y, x) to (logit, deltas, logit)."""
    maps = [torch.zeros(1, 32, *size) for size in SIZES]
    for level in maps:
        level[:, 0] = -30
    for (level, y, x), (score, deltas, centerness) in positions.items():
        maps[level][0, :6, y, x] = torch.tensor([score, *deltas, centerness])
    model.bbox_head.head.dyhead_tower = nn.ModuleList([FixedMaps(maps)])
    model.bbox_head.test_cfg.update({'score_thr': 0.05} | test_cfg)
    with torch.no_grad(), kernels():
        picture = torch.zeros(1, 3, *SHAPE)
        (result,) = model(picture, [sample(shape, list(text))], mode='predict')
    return result.pred_instances


ZERO_DELTAS = (0.0, 0.0, 0.0, 0.0)


def test_score_is_the_root_of_class_times_centerness(model, kernels):
    """The root of 0.64 * 0.25 is 0.4."""
    detections = detect(
        model, kernels, {(0, 2, 3): (logit(0.64), ZERO_DELTAS, logit(0.25))}
    )
    assert detections.scores.tolist() == pytest.approx([0.4], abs=1e-6)
    assert detections.labels.tolist() == [0]


def test_tokens_are_halved_before_they_are_compared(model, kernels):
    """Only in the product with positions, not in the bias of words.

    A token (3, 4) has norm 5, so it becomes (0.6, 0.8), and half of that (0.3, 0.4).
    With the identity as projection, 0.1 and 0.1 as its bias and (2, 1) at a position,
    the product is 2 * 0.4 + 1 * 0.5 = 1.3, over exp(log 2) it is 0.65. The bias of the
    word is 0.6 - 0.8 = -0.2, the common one -1: the logit is -0.55. At centerness 0.5
    the score is the root of 0.5 / (1 + exp(0.55)).
    """
    head = model.bbox_head.head
    with torch.no_grad():
        head.dot_product_projection_text.weight[[0, 1], [0, 1]] = 1
        head.dot_product_projection_text.bias[:2] = 0.1
        head.bias_lang[:2] = torch.tensor([1.0, -1.0])
        head.bias0.fill_(-1)
        head.log_scale.fill_(math.log(2))
        head.bbox_pred.weight.zero_()

    def as_given(module, inputs, text):
        token = torch.zeros_like(text.hidden)
        token[..., :2] = torch.tensor([3.0, 4.0])
        return dataclasses.replace(text, hidden=token, embedded=token)

    model.language_model.register_forward_hook(as_given)
    detections = detect(
        model, kernels, {(0, 4, 4): (2.0, (1, 0, 0, 0), 0.0)}, score_thr=0.3
    )
    expected = math.sqrt(0.5 / (1 + math.exp(0.55)))
    assert detections.scores.tolist() == pytest.approx([expected], abs=1e-6)


def test_ranking_within_a_level_is_by_class_times_centerness(model, kernels):
    """0.5 * 0.5 ranks above 0.9 * 0.1, so a level of one candidate keeps the former."""
    positions = {
        (0, 1, 1): (logit(0.9), deltas_to((0, 0, 9, 9), 1, 1), logit(0.1)),
        (0, 6, 9): (logit(0.5), deltas_to((60, 40, 89, 59), 6, 9), logit(0.5)),
    }
    detections = detect(model, kernels, positions, nms_pre=1)
    assert detections.scores.tolist() == pytest.approx([0.5], abs=1e-6)
    torch.testing.assert_close(
        detections.bboxes, torch.tensor([[60.0, 40, 90, 60]]), atol=1e-4, rtol=0
    )


def test_threshold_is_on_the_class_before_centerness(model, kernels):
    """0.06 passes 0.05 though 0.06 * 0.1 does not; 0.04 never does."""
    positions = {
        (0, 1, 1): (logit(0.06), deltas_to((0, 0, 9, 9), 1, 1), logit(0.1)),
        (0, 6, 9): (logit(0.04), deltas_to((60, 40, 89, 59), 6, 9), logit(0.99)),
    }
    detections = detect(model, kernels, positions, score_thr=0.05)
    assert detections.scores.tolist() == pytest.approx([math.sqrt(0.006)], abs=1e-6)


@pytest.mark.parametrize(('threshold', 'kept'), [(0.74, 1), (0.76, 2)])
def test_overlap_counts_the_last_pixel(model, kernels, threshold, kept):
    """4x4 and 4x3 pixels share 12 of 16: 0.75. Without the +1 it would be 6 of 9."""
    positions = {
        (0, 1, 1): (logit(0.9), deltas_to((10, 10, 13, 13), 1, 1), 0.0),
        (0, 2, 2): (logit(0.8), deltas_to((10, 10, 13, 12), 2, 2), 0.0),
    }
    detections = detect(
        model, kernels, positions, nms=dict(type='nms', iou_threshold=threshold)
    )
    boxes = torch.tensor([[10.0, 10, 14, 14], [10, 10, 14, 13]])[:kept]
    torch.testing.assert_close(detections.bboxes, boxes, atol=1e-4, rtol=0)


def test_boxes_shrink_without_limit_and_grow_to_1000_over_16(model, kernels):
    """An anchor of 64 pixels grows to 4000 at most and shrinks to nothing.

    The centers stay at (35.5, 35.5) and (11.5, 11.5). The declared size of the picture
    is so large that boxes are clipped at the left and at the top only.
    """
    positions = {
        (0, 4, 4): (logit(0.9), (0, 0, 500, 500), 0.0),
        (0, 1, 1): (logit(0.8), (0, 0, -500, -500), 0.0),
    }
    detections = detect(model, kernels, positions, shape=(9000, 9000))
    # Inclusive x2 = center + (size - 1) / 2, and the half-open box ends one later.
    large, small = 35.5 + 3999 / 2 + 1, 11.5 - 1 / 2 + 1
    expected = [[0, 0, large, large], [small, small, small, small]]
    torch.testing.assert_close(
        detections.bboxes, torch.tensor(expected), atol=2e-2, rtol=0
    )


def test_boxes_end_at_the_last_pixel(model, kernels):
    positions = {
        (0, 4, 4): (logit(0.9), deltas_to((-20, -20, 300, 300), 4, 4), 0.0),
    }
    detections = detect(model, kernels, positions)
    torch.testing.assert_close(detections.bboxes, torch.tensor([[0.0, 0, 96, 64]]))


def test_a_class_scores_the_mean_of_its_tokens(model, kernels):
    """All tokens of a name have the same logit, so their mean is that of each."""
    detections = detect(
        model,
        kernels,
        {(0, 2, 3): (logit(0.64), ZERO_DELTAS, logit(0.25))},
        text=('a red car', 'dog'),
    )
    assert detections.scores.tolist() == pytest.approx([0.4, 0.4], abs=1e-6)
    assert sorted(detections.labels.tolist()) == [0, 1]
