"""Non-maximum suppression against plain loops and the original's result."""

import numpy as np
import official
import pytest
import torch
from mmcv.ops import batched_nms, nms, nms_match, soft_nms


def _boxes(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corner = 40 * torch.rand(count, 2, generator=generator)
    size = 5 + 20 * torch.rand(count, 2, generator=generator)
    scores = torch.randperm(count, generator=generator) / count + 0.5 / count
    return torch.cat([corner, corner + size], dim=1), scores


def _overlap(a, b, offset):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + offset)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + offset)
    area_a = (a[2] - a[0] + offset) * (a[3] - a[1] + offset)
    area_b = (b[2] - b[0] + offset) * (b[3] - b[1] + offset)
    return width * height / (area_a + area_b - width * height)


def _reference(boxes, scores, threshold, offset=0):
    boxes = boxes.tolist()
    kept = []
    for index in scores.argsort(descending=True).tolist():
        if all(_overlap(boxes[index], boxes[k], offset) <= threshold for k in kept):
            kept.append(index)
    return kept


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.5])
def test_nms(offset, threshold):
    boxes, scores = _boxes(80)
    dets, kept = nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == _reference(boxes, scores, threshold, offset)
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_offset_matters():
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 3, 9, 12]])  # 10 x 10 with the last pixel
    scores = torch.tensor([0.9, 0.8])
    inclusive = 7 / 13
    assert len(nms(boxes, scores, inclusive - 0.01, offset=1)[1]) == 1
    assert len(nms(boxes, scores, inclusive - 0.01, offset=0)[1]) == 2


def test_nms_of_the_original():
    centre = 40 * official.unit('nms.c', (200, 2)) + 160
    size = (10 * official.unit('nms.wh', (200, 2)) + 40).clamp(min=4)
    boxes = torch.cat([centre - size / 2, centre + size / 2], dim=1).float()
    scores = (0.5 * official.unit('nms.s', (200,))).float().sigmoid()
    labels = (2 * official.unit('nms.l', (200,)).abs()).int() + 1
    for offset, name in ((1, 'official_gpu'), (0, 'torchvision_batched')):
        kept = []
        for label in labels.unique():
            (of_label,) = torch.where(labels == label)
            _, inside = nms(boxes[of_label], scores[of_label], 0.6, offset=offset)
            kept += of_label[inside].tolist()
        assert sorted(kept) == sorted(
            official.arrays('ops')[f'nms.keep_{name}'].tolist()
        )


def test_score_threshold_and_limit():
    boxes, scores = _boxes(60)
    dets, kept = nms(boxes, scores, 0.3, score_threshold=0.5, max_num=3)
    expected = [i for i in _reference(boxes, scores, 0.3) if scores[i] > 0.5][:3]
    assert kept.tolist() == expected


def test_numpy_half_and_none():
    boxes, scores = _boxes(30)
    dets, kept = nms(boxes.numpy(), scores.numpy(), 0.4)
    assert isinstance(dets, np.ndarray)
    assert kept.tolist() == _reference(boxes, scores, 0.4)
    half, _ = nms(boxes.half(), scores.half(), 0.4)
    assert half.dtype == torch.float16
    dets, kept = nms(torch.empty(0, 4), torch.empty(0), 0.4)
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)


@pytest.mark.parametrize('split_thr', [10000, 5])
@pytest.mark.parametrize('class_agnostic', [False, True])
def test_batched_nms(split_thr, class_agnostic):
    if class_agnostic and split_thr == 5:
        pytest.skip('mmcv goes class by class past split_thr, whatever else it is told')
    boxes, scores = _boxes(60)
    labels = torch.arange(60) % 3
    cfg = {'type': 'nms', 'iou_threshold': 0.4, 'split_thr': split_thr}
    dets, kept = batched_nms(boxes, scores, labels, cfg, class_agnostic=class_agnostic)
    groups = [torch.arange(60)]
    if not class_agnostic:
        groups = [torch.where(labels == label)[0] for label in range(3)]
    expected = [
        int(group[k])
        for group in groups
        for k in _reference(boxes[group], scores[group], 0.4)
    ]
    expected.sort(key=lambda index: -scores[index])
    assert kept.tolist() == expected
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], 1)[kept])


def test_batched_nms_limit_and_none():
    boxes, scores = _boxes(40)
    labels = torch.arange(40) % 2
    dets, kept = batched_nms(
        boxes, scores, labels, {'type': 'nms', 'iou_threshold': 0.5, 'max_num': 4}
    )
    assert dets.shape == (4, 5)
    dets, kept = batched_nms(boxes, scores, labels, None)
    assert kept.tolist() == scores.argsort(descending=True).tolist()


@pytest.mark.parametrize('method', ['naive', 'linear', 'gaussian'])
@pytest.mark.parametrize('offset', [0, 1])
def test_soft_nms(method, offset):
    boxes, scores = _boxes(40)
    dets, kept = soft_nms(
        boxes, scores, 0.3, sigma=0.4, min_score=0.05, method=method, offset=offset
    )
    current = dict(enumerate(scores.tolist()))
    plain = boxes.tolist()
    expected = []
    while current:
        best = max(current, key=current.get)
        expected.append((best, current.pop(best)))
        for other in list(current):
            overlap = _overlap(plain[best], plain[other], offset)
            if method == 'gaussian':
                current[other] *= np.exp(-(overlap**2) / 0.4)
            elif overlap >= 0.3:
                current[other] *= 1 - overlap if method == 'linear' else 0
            if current[other] < 0.05:
                del current[other]
    assert kept.tolist() == [index for index, _ in expected]
    torch.testing.assert_close(
        dets[:, 4], torch.tensor([float(score) for _, score in expected])
    )
    assert torch.equal(dets[:, :4], boxes[kept])


def test_soft_nms_of_nothing():
    dets, kept = soft_nms(torch.empty(0, 4), torch.empty(0))
    assert dets.shape == (0, 5)
    assert kept.shape == (0,)


def test_nms_match():
    boxes, scores = _boxes(40)
    groups = nms_match(torch.cat([boxes, scores[:, None]], dim=1), 0.3)
    plain = boxes.tolist()
    waiting = scores.argsort(descending=True).tolist()
    expected = []
    while waiting:
        best = waiting[0]
        near = [i for i in waiting[1:] if _overlap(plain[best], plain[i], 0) >= 0.3]
        expected.append([best, *near])
        waiting = [i for i in waiting[1:] if i not in near]
    assert [group.tolist() for group in groups] == expected
