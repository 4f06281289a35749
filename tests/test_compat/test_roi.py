"""Pooling of regions against plain loops."""

import math

import pytest
import torch
from mmcv.ops import RoIAlign, RoIPool, roi_align, roi_pool


def _map():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 7, 9, generator=generator, dtype=torch.float64)


_ROIS = torch.tensor(
    [
        [0, 1.3, 2.1, 12.9, 10.2],
        [1, 0.0, 0.0, 17.0, 13.0],
        [1, 5.5, 3.2, 6.1, 9.9],
        [0, 12.0, 8.0, 30.0, 25.0],  # leaves the map
    ],
    dtype=torch.float64,
)


def _sample(plane, y, x):
    """Bilinear value; clamped within one pixel of the border, zero farther out."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = (1 - dx) * float(plane[top, left]) + dx * float(plane[top, right])
    lower = (1 - dx) * float(plane[bottom, left]) + dx * float(plane[bottom, right])
    return (1 - dy) * upper + dy * lower


def _align_reference(maps, rois, size, scale, ratio, aligned):
    out = torch.zeros(len(rois), maps.shape[1], *size, dtype=maps.dtype)
    for index, (picture, *box) in enumerate(rois.tolist()):
        shift = 0.5 if aligned else 0.0
        x1, y1, x2, y2 = (value * scale - shift for value in box)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        step_y, step_x = height / size[0], width / size[1]
        count_y = ratio or math.ceil(step_y)
        count_x = ratio or math.ceil(step_x)
        for channel in range(maps.shape[1]):
            plane = maps[int(picture), channel]
            for i in range(size[0]):
                for j in range(size[1]):
                    samples = [
                        _sample(
                            plane,
                            y1 + step_y * (i + (a + 0.5) / count_y),
                            x1 + step_x * (j + (b + 0.5) / count_x),
                        )
                        for a in range(count_y)
                        for b in range(count_x)
                    ]
                    out[index, channel, i, j] = sum(samples) / max(len(samples), 1)
    return out


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 2])
def test_roi_align(aligned, ratio):
    maps = _map()
    found = roi_align(maps, _ROIS, (2, 3), 0.5, ratio, 'avg', aligned)
    expected = _align_reference(maps, _ROIS, (2, 3), 0.5, ratio, aligned)
    torch.testing.assert_close(found, expected)
    module = RoIAlign((2, 3), 0.5, ratio, aligned=aligned)
    torch.testing.assert_close(module(maps, _ROIS), expected)


def test_roi_align_of_rois_of_another_type():
    maps = _map().half()
    found = roi_align(maps, _ROIS.float(), 2)
    assert found.dtype == torch.float16


def _pool_reference(maps, rois, size, scale):
    out = torch.zeros(len(rois), maps.shape[1], *size, dtype=maps.dtype)
    height, width = maps.shape[2:]
    for index, (picture, *box) in enumerate(rois.tolist()):
        x1, y1 = box[0] * scale, box[1] * scale
        x2, y2 = (box[2] + 1) * scale, (box[3] + 1) * scale
        for i in range(size[0]):
            top = math.floor(y1 + i * (y2 - y1) / size[0])
            bottom = math.ceil(y1 + (i + 1) * (y2 - y1) / size[0])
            for j in range(size[1]):
                left = math.floor(x1 + j * (x2 - x1) / size[1])
                right = math.ceil(x1 + (j + 1) * (x2 - x1) / size[1])
                part = maps[
                    int(picture),
                    :,
                    min(max(top, 0), height) : min(max(bottom, 0), height),
                    min(max(left, 0), width) : min(max(right, 0), width),
                ]
                if part.numel():
                    out[index, :, i, j] = part.amax(dim=(1, 2))
    return out


def test_roi_pool():
    maps = _map()
    found = roi_pool(maps, _ROIS, (2, 3), 0.5)
    expected = _pool_reference(maps, _ROIS, (2, 3), 0.5)
    torch.testing.assert_close(found, expected)
    assert (found[3, :, 1] == 0).all()  # bins outside of the map
    torch.testing.assert_close(RoIPool((2, 3), 0.5)(maps, _ROIS), expected)


def test_gradients():
    maps = _map().requires_grad_()
    for ratio, aligned in ((0, True), (2, False)):
        assert torch.autograd.gradcheck(
            lambda maps, ratio=ratio, aligned=aligned: roi_align(
                maps, _ROIS, (2, 3), 0.5, ratio, 'avg', aligned
            ),
            [maps],
        )
    assert torch.autograd.gradcheck(
        lambda maps: roi_pool(maps, _ROIS, (2, 3), 0.5), [maps]
    )


def test_no_rois():
    none = torch.empty(0, 5, dtype=torch.float64)
    assert roi_align(_map(), none, 2).shape == (0, 3, 2, 2)
    assert roi_pool(_map(), none, 2).shape == (0, 3, 2, 2)
