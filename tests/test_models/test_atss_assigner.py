"""Assignment of a batch against mmdet's of one picture, and by hand."""

import pytest
import torch
from mmdet.models.task_modules import ATSSAssigner as MMDetATSSAssigner
from mmengine.structures import InstanceData

from glip.models import ATSSAssigner, BboxOverlaps2D_GLIP, atss_assigner
from glip.registry import TASK_UTILS

OVERLAPS = dict(type='BboxOverlaps2D_GLIP')
SIZES = ((20, 30), (10, 15), (5, 8), (3, 4), (2, 2))


def anchors_of(sizes, strides=(8, 16, 32, 64, 128)):
    levels = []
    for (height, width), stride in zip(sizes, strides, strict=False):
        y, x = torch.meshgrid(
            torch.arange(height) * stride, torch.arange(width) * stride, indexing='ij'
        )
        center = torch.stack((x, y), -1).view(-1, 2) + stride / 2
        levels.append(torch.cat((center - 4 * stride, center + 4 * stride - 1), 1))
    return torch.cat(levels), [len(level) for level in levels]


def random_boxes(count, seed, scale=120.0):
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=generator) * torch.tensor([200.0, 120])
    size = torch.rand(count, 2, generator=generator) ** 2 * scale + 1
    return torch.cat((corner, corner + size), 1)


def check(pictures, sizes=SIZES, topk=9, overlaps='BboxOverlaps2D_GLIP'):
    """Compare with mmdet's; returns the number of positive anchors per picture."""
    anchors, level_sizes = anchors_of(sizes)
    count = max(map(len, pictures)) + 1
    boxes, valid = (
        torch.zeros(len(pictures), count, 4),
        torch.zeros(len(pictures), count),
    )
    for i, some in enumerate(pictures):
        boxes[i, : len(some)], valid[i, : len(some)] = some, 1
    cfg = dict(type='ATSSAssigner', topk=topk, iou_calculator=dict(type=overlaps))
    ours = TASK_UTILS.build(cfg)
    assert type(ours) is ATSSAssigner
    found = ours.assign_batch(anchors, level_sizes, boxes, valid.bool())
    theirs = MMDetATSSAssigner(topk=topk, iou_calculator=dict(type=overlaps))
    for row, some in zip(found, pictures, strict=True):
        expected = theirs.assign(
            InstanceData(priors=anchors),
            level_sizes,
            InstanceData(bboxes=some, labels=torch.zeros(len(some)).long()),
        )
        assert torch.equal(row + 1, expected.gt_inds)
    return (found >= 0).sum(1).tolist()


@pytest.mark.parametrize('overlaps', ['BboxOverlaps2D_GLIP', 'BboxOverlaps2D'])
@pytest.mark.parametrize('seed', range(5))
def test_equals_mmdets_on_random_pictures(seed, overlaps):
    counts = torch.randint(0, 40, (4,), generator=torch.Generator().manual_seed(seed))
    pictures = [random_boxes(int(n), seed * 10 + i) for i, n in enumerate(counts)]
    assert sum(check(pictures, overlaps=overlaps)) > 20


def test_boxes_smaller_than_a_stride():
    assert sum(check([random_boxes(30, 3, scale=4.0), random_boxes(1, 4)])) > 0


def test_pictures_without_boxes():
    assert check([torch.zeros(0, 4), torch.zeros(0, 4)]) == [0, 0]
    assert check([torch.zeros(0, 4), random_boxes(1, 0)])[0] == 0


def test_fewer_anchors_than_candidates_and_single_anchors():
    small = ((2, 2), (1, 2), (1, 1), (1, 1), (1, 1))
    check([random_boxes(5, 1), random_boxes(2, 2)], sizes=small, topk=9)
    check([random_boxes(2, 5)], sizes=((1, 1),), topk=9)


def test_ties_go_to_the_same_anchors_and_boxes():
    box = torch.tensor([[40.0, 40, 103, 103]])
    apart = box + torch.tensor([16.0, 0, 16, 0])
    # Twice the same box, and boxes whose distances to anchors are equal.
    assert check([torch.cat((box, box, apart)), box.repeat(7, 1)])[0] > 0


def test_many_boxes_are_taken_in_parts(monkeypatch):
    monkeypatch.setattr(atss_assigner, '_MAX_DISTANCES', 1700)
    check([random_boxes(23, 8), random_boxes(11, 9)])


def test_by_hand():
    """Two 64-pixel anchors under one box: only the one that fits it is taken."""
    anchors = torch.tensor([[0.0, 0, 63, 63], [32, 0, 95, 63], [200, 0, 263, 63]])
    boxes = torch.tensor([[[0.0, 0, 63, 63], [0, 0, 0, 0]]])
    assigner = ATSSAssigner(topk=9, iou_calculator=OVERLAPS)
    # Overlaps 1, 1/3 and 0: mean 0.44 and deviation 0.51 leave the first alone.
    owner = assigner.assign_batch(anchors, [3], boxes, torch.tensor([[True, False]]))
    assert owner.tolist() == [[0, -1, -1]]
    owner = assigner.assign_batch(anchors, [3], boxes, torch.tensor([[False, False]]))
    assert owner.tolist() == [[-1, -1, -1]]
    assert assigner.assign_batch(
        anchors, [3], boxes[:, :0], torch.ones(1, 0).bool()
    ).tolist() == [[-1, -1, -1]]


def test_mmdets_overlaps_are_replaced_by_ours():
    for name in ('BboxOverlaps2D_GLIP', 'mmdet.BboxOverlaps2D_GLIP'):
        cfg = dict(type='ATSSAssigner', topk=9, iou_calculator=dict(type=name))
        assert type(TASK_UTILS.build(cfg).iou_calculator) is BboxOverlaps2D_GLIP


def test_overlaps_by_hand():
    one = torch.tensor([[0.0, 0, 9, 9], [0, 0, 4, 9]])
    other = torch.tensor([[5.0, 0, 14, 9], [9, 9, 9, 9]])
    overlaps = BboxOverlaps2D_GLIP()
    expected = torch.tensor([[1 / 3, 0.01], [0, 0]])
    torch.testing.assert_close(overlaps(one, other), expected)
    torch.testing.assert_close(
        overlaps(one, other, is_aligned=True), expected.diagonal()
    )
    with pytest.raises(ValueError, match="'iou', not 'iof'"):
        overlaps(one, other, mode='iof')
