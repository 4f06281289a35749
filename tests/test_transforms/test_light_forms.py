"""Resizing and packing compute what mmdet's do, without what annotations need."""

import numpy as np
import pytest
import torch
from mmdet.datasets.transforms import FixScaleResize as TheirResize
from mmdet.datasets.transforms import PackDetInputs as TheirPacking
from mmdet.structures.bbox import HorizontalBoxes

from glip.transforms import PackDetInputs
from glip.transforms.resizing import FixScaleResize


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('keep_ratio', [True, False])
@pytest.mark.parametrize('scale', [(64, 48), (48, 64), 50, (333, 200)])
@pytest.mark.parametrize('size', [(37, 90), (90, 37), (41, 41)])
def test_resizing(size, scale, keep_ratio, backend):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    fields = dict(scale=scale, keep_ratio=keep_ratio, backend=backend)
    ours, theirs = (
        kind(**fields)(dict(img=image)) for kind in (FixScaleResize, TheirResize)
    )
    assert np.array_equal(ours['img'], theirs['img'])
    assert ours['scale_factor'] == theirs['scale_factor']
    assert tuple(ours['img_shape']) == tuple(theirs['img_shape'])


@pytest.mark.parametrize('ignored', [None, [False, True, False]])
@pytest.mark.parametrize('boxed', [True, False])
def test_packing(ignored, boxed):
    boxes = np.arange(12, dtype=np.float32).reshape(3, 4)
    results = dict(
        img=np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3),
        img_id=3,
        img_shape=(2, 3),
        gt_bboxes=HorizontalBoxes(boxes) if boxed else boxes,
        gt_bboxes_labels=np.array([4, 5, 6]),
    )
    if ignored is not None:
        results['gt_ignore_flags'] = np.array(ignored)
    ours, theirs = (kind()(dict(results)) for kind in (PackDetInputs, TheirPacking))
    assert torch.equal(ours['inputs'], theirs['inputs'])
    ours, theirs = ours['data_samples'], theirs['data_samples']
    assert ours.metainfo == theirs.metainfo
    for name in ('gt_instances', 'ignored_instances'):
        one, other = ours.get(name), theirs.get(name)
        assert one.keys() == other.keys()
        for key in one.keys():
            one_value, other_value = one[key], other[key]
            assert type(one_value) is type(other_value)
            one_value = getattr(one_value, 'tensor', one_value)
            assert torch.equal(one_value, getattr(other_value, 'tensor', other_value))
