"""What stands in for mmdet's classes computes what they do."""

import copy

import pytest
import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor as TheirPreprocessor
from mmdet.models.losses import CrossEntropyLoss as TheirCrossEntropy
from mmdet.models.losses import FocalLoss as TheirFocal
from mmdet.models.losses import GIoULoss as TheirGIoU
from mmdet.models.necks import FPN as TheirFPN
from mmdet.models.task_modules.prior_generators import AnchorGenerator as TheirAnchors
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData

from glip.models.dense_heads.anchors import AnchorGenerator
from glip.models.losses import CrossEntropyLoss, FocalLoss, GIoULoss
from glip.models.necks import FPN
from glip.models.preprocessing import DetDataPreprocessor
from glip.registry import MODELS, TASK_UTILS, build_light


@pytest.mark.parametrize(
    'fields',
    [
        dict(ratios=[1.0], octave_base_scale=8, scales_per_octave=1, center_offset=0.5),
        dict(ratios=[0.5, 1.0, 2.0], octave_base_scale=4, scales_per_octave=3),
        dict(ratios=[2.0], scales=[2.0, 5.5], center_offset=0.25),
    ],
)
@pytest.mark.parametrize('strides', [[8, 16], [(8, 4), (16, 32)]])
def test_anchors(fields, strides):
    ours = AnchorGenerator(strides=strides, **fields)
    theirs = TheirAnchors(strides=strides, **fields)
    assert ours.num_levels == theirs.num_levels
    assert ours.num_base_priors == theirs.num_base_priors
    sizes = [(3, 5), (2, 1)]
    for one, other in zip(
        ours.grid_priors(sizes, torch.float32, 'cpu'),
        theirs.grid_priors(sizes, torch.float32, 'cpu'),
        strict=True,
    ):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    'fields',
    [
        dict(num_outs=2),
        dict(num_outs=4),
        dict(num_outs=4, add_extra_convs=True),
        dict(num_outs=4, add_extra_convs='on_lateral', relu_before_extra_convs=True),
        dict(
            num_outs=5,
            add_extra_convs='on_output',
            relu_before_extra_convs=True,
            upsample_cfg=dict(mode='bilinear', align_corners=False),
        ),
        dict(num_outs=1, start_level=1),
        dict(num_outs=2, upsample_cfg=dict(mode='nearest', scale_factor=2)),
    ],
)
@torch.no_grad()
def test_pyramid(fields):
    torch.manual_seed(0)
    ours, theirs = (kind([3, 5], 4, **fields) for kind in (FPN, TheirFPN))
    ours.load_state_dict(theirs.state_dict())
    maps = (torch.randn(2, 3, 8, 12), torch.randn(2, 5, 4, 6))
    for one, other in zip(ours(maps), theirs(maps), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    'fields',
    [
        dict(),
        dict(mean=[103.5, 116.2, 123.6], std=[57.3, 57.1, 58.3], pad_size_divisor=32),
        dict(mean=[7.0], std=[2.0], bgr_to_rgb=True, pad_value=3),
        dict(boxtype2tensor=False, pad_size_divisor=8),
    ],
)
@pytest.mark.parametrize('stacked', [False, True])
def test_preprocessing(fields, stacked):
    generator = torch.Generator().manual_seed(0)
    sizes = [(20, 30)] * 2 if stacked else [(20, 30), (33, 9)]
    pictures = [
        torch.randint(256, (3, *size), generator=generator).byte() for size in sizes
    ]
    boxes = HorizontalBoxes(torch.tensor([[1.0, 2, 3, 4]]))
    data = dict(
        inputs=torch.stack(pictures) if stacked else pictures,
        data_samples=[
            DetDataSample(gt_instances=InstanceData(bboxes=boxes.clone()))
            for _ in sizes
        ],
    )
    ours, theirs = (
        kind(**fields)(copy.deepcopy(data))
        for kind in (DetDataPreprocessor, TheirPreprocessor)
    )
    assert torch.equal(ours['inputs'], theirs['inputs'])
    for one, other in zip(ours['data_samples'], theirs['data_samples'], strict=True):
        assert one.metainfo == other.metainfo
        one, other = one.gt_instances.bboxes, other.gt_instances.bboxes
        assert type(one) is type(other)


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
@pytest.mark.parametrize('weighted', [False, True])
def test_losses(reduction, weighted):
    torch.manual_seed(0)
    logits, quality = torch.randn(7), torch.rand(7)
    boxes = torch.rand(7, 4) + torch.tensor([0.0, 0, 1, 1])
    weight = torch.rand(7) if weighted else None
    labels = torch.randint(2, (7, 1))
    cases = (
        (CrossEntropyLoss, TheirCrossEntropy, (logits, quality), {'use_sigmoid': True}),
        (GIoULoss, TheirGIoU, (boxes, boxes.roll(1, 0)), {}),
        (FocalLoss, TheirFocal, (logits[:, None], labels), {'gamma': 1.5}),
    )
    for ours, theirs, values, fields in cases:
        one, other = (
            kind(reduction=reduction, loss_weight=2.0, **fields)(*values, weight)
            for kind in (ours, theirs)
        )
        torch.testing.assert_close(one, other)


def test_a_config_that_asks_for_more_gets_mmdets():
    fields = dict(type='FPN', in_channels=[4], out_channels=4, num_outs=1)
    assert type(build_light(fields, MODELS, FPN)) is FPN
    norms = dict(fields, norm_cfg=dict(type='BN'))
    assert type(build_light(norms, MODELS, FPN)) is TheirFPN
    scoped = dict(fields, type='mmdet.FPN')
    assert type(build_light(scoped, MODELS, FPN)) is TheirFPN
    anchors = dict(
        type='AnchorGenerator', strides=[8], ratios=[1.0], scales=[1], base_sizes=[3]
    )
    assert type(build_light(anchors, TASK_UTILS, AnchorGenerator)) is TheirAnchors


def test_a_class_registered_under_the_name_is_taken():
    class FPN:  # noqa: N801
        def __init__(self, **fields):
            self.fields = fields

    from glip.models import necks

    MODELS.register_module(module=FPN)
    try:
        built = build_light(
            dict(type='FPN', in_channels=[4], out_channels=4, num_outs=1),
            MODELS,
            necks.FPN,
        )
    finally:
        del MODELS.module_dict['FPN']
    assert type(built) is FPN
