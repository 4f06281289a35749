"""The smallest GLIP that has all of its parts, for tests to change."""

import copy
from typing import Any

import torch
from mmengine.config import Config

from glip.apis import Detector, build_model

_MODEL = dict(
    type='GLIP',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
    backbone=dict(
        type='SwinTransformer',
        embed_dims=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_indices=(1, 2, 3),
    ),
    neck=dict(
        type='FPN_DropBlock',
        in_channels=[16, 32, 64],
        out_channels=32,
        relu_before_extra_convs=True,
        add_extra_convs='on_output',
        num_outs=5,
    ),
    bbox_head=dict(
        type='ATSSVLFusionHead',
        in_channels=32,
        feat_channels=32,
        early_fuse=True,
        num_dyhead_blocks=1,
        fusion=dict(embed_dim=16, num_heads=2),
    ),
    language_model=dict(
        type='BertModel',
        pretrained=False,
        config=dict(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        ),
    ),
    test_cfg=dict(score_thr=0.0, max_per_img=20),
)


def tiny_model(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The model with some fields changed.

    Args:
        changes: Field -> value, with fields of fields joined by dots.
    """
    cfg = Config(dict(model=copy.deepcopy(_MODEL)))
    cfg.merge_from_dict({f'model.{k}': v for k, v in (changes or {}).items()})
    return cfg.model.to_dict()


def tiny_detector(
    changes: dict[str, Any] | None = None, scale: tuple[int, int] = (96, 160)
) -> Detector:
    """The model with random weights, ready to be called; every box passes.

    Args:
        changes: As :func:`tiny_model` takes them.
        scale: Pictures are resized into.
    """
    torch.manual_seed(0)
    pipeline = [
        dict(type='LoadImageFromFile', imdecode_backend='pillow'),
        dict(type='FixScaleResize', scale=scale, keep_ratio=True, backend='pillow'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs'),
    ]
    cfg = Config(
        dict(
            default_scope='glip',
            model=tiny_model(changes),
            test_dataloader=dict(dataset=dict(pipeline=pipeline)),
            default_threshold=0.0,
        )
    )
    return Detector(build_model(cfg).eval(), cfg)
