"""mmdet's own detectors train and predict on the stand-in."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

_ANCHORS = {
    'type': 'AnchorGenerator',
    'ratios': [1.0],
    'octave_base_scale': 8,
    'scales_per_octave': 1,
    'strides': [8, 16],
}
_CODER = {
    'type': 'DeltaXYWHBBoxCoder',
    'target_means': [0.0, 0.0, 0.0, 0.0],
    'target_stds': [0.1, 0.1, 0.2, 0.2],
}
_FOCAL = {'type': 'FocalLoss', 'use_sigmoid': True, 'gamma': 2.0, 'alpha': 0.25}
_SHAPE = {'num_classes': 3, 'in_channels': 16, 'feat_channels': 16, 'stacked_convs': 1}
_HEADS = {
    'ATSS': {
        'type': 'ATSSHead',
        **_SHAPE,
        'norm_cfg': {'type': 'GN', 'num_groups': 4},
        'anchor_generator': _ANCHORS,
        'bbox_coder': _CODER,
        'loss_cls': _FOCAL,
        'loss_bbox': {'type': 'GIoULoss', 'loss_weight': 2.0},
    },
    'RetinaNet': {
        'type': 'RetinaHead',
        **_SHAPE,
        'anchor_generator': _ANCHORS,
        'bbox_coder': _CODER,
        'loss_cls': _FOCAL,
        'loss_bbox': {'type': 'L1Loss'},
    },
}
_ASSIGNERS = {
    'ATSS': {'type': 'ATSSAssigner', 'topk': 4},
    'RetinaNet': {'type': 'MaxIoUAssigner', 'pos_iou_thr': 0.5, 'neg_iou_thr': 0.4},
}


@pytest.mark.parametrize('kind', list(_HEADS))
def test_detector(kind):
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample

    torch.manual_seed(0)
    config = {
        'type': kind,
        'data_preprocessor': {'type': 'DetDataPreprocessor'},
        'backbone': {
            'type': 'ResNet',
            'depth': 50,
            'base_channels': 4,
            'out_indices': (1, 2),
            'dcn': {'type': 'DCNv2', 'deform_groups': 1},
            'stage_with_dcn': (False, False, True, False),
        },
        'neck': {
            'type': 'FPN',
            'in_channels': [32, 64],
            'out_channels': 16,
            'num_outs': 2,
        },
        'bbox_head': _HEADS[kind],
        'train_cfg': {
            'assigner': _ASSIGNERS[kind],
            'sampler': {'type': 'PseudoSampler'},
            'allowed_border': -1,
            'pos_weight': -1,
        },
        'test_cfg': {
            'nms_pre': 100,
            'min_bbox_size': 0,
            'score_thr': 0.0,
            'nms': {'type': 'nms', 'iou_threshold': 0.6},
            'max_per_img': 10,
        },
    }
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(ConfigDict(config))
    sample = DetDataSample(
        metainfo={
            'img_shape': (64, 64),
            'ori_shape': (64, 64),
            'pad_shape': (64, 64),
            'batch_input_shape': (64, 64),
            'scale_factor': (1.0, 1.0),
        },
        gt_instances=InstanceData(
            bboxes=torch.tensor([[5.0, 6.0, 60.0, 50.0]]), labels=torch.tensor([1])
        ),
    )
    images = torch.randn(1, 3, 64, 64)
    losses = model(images, [sample], mode='loss')
    values = [losses[key] for key in losses if 'loss' in key]
    sum(v if torch.is_tensor(v) else sum(v) for v in values).backward()
    offsets = [p for name, p in model.named_parameters() if 'conv_offset' in name]
    assert offsets
    assert all(p.grad.isfinite().all() for p in offsets)
    assert any(p.grad.abs().sum() > 0 for p in offsets)

    with torch.no_grad():
        (found,) = model.eval()(images, [sample], mode='predict')
    boxes = found.pred_instances.bboxes
    assert 0 < len(boxes) <= 10
    assert boxes.isfinite().all()
