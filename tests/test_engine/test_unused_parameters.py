"""Every trained parameter takes part in each step, so DDP needs no switch for others.

DDP waits for the gradient of every parameter: one that a step leaves out would stop a
training in several processes, unless it searches for such in each step.
"""

from pathlib import Path

import pytest
import torch
import two_processes as two
from mmengine.config import Config
from torch import nn

from glip.registry import MODELS

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip'
SMALL_BERT = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
)


def shrunk(name: str, tuning: str = 'full') -> nn.Module:
    """The model of a shipped config, narrow and shallow."""
    model = Config.fromfile(CONFIGS / f'{name}.py').model
    if model.backbone.type == 'SwinTransformer':
        model.backbone.update(
            embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4
        )
        pyramid = model.neck.get('neck', model.neck)
        pyramid.in_channels = [16, 32, 64]
    channels = 16
    if model.neck.type == 'ClassSpaceNeck':
        model.neck.update(num_classes=8, num_bins=1)
    else:
        model.neck.out_channels = channels
    fusion = dict(model.bbox_head.get('fusion') or {}, embed_dim=16, num_heads=2)
    model.bbox_head.update(
        in_channels=channels,
        feat_channels=channels,
        num_dyhead_blocks=2,
        fusion=fusion,
    )
    model.language_model.update(pretrained=False, config=SMALL_BERT)
    model.tuning = tuning
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(model).train()


TUNED = [
    (name, tuning)
    for name in (
        'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365',
        'glip_nano_csp_minilm',
    )
    for tuning in ('linear_probe', 'prompt', 'language')
]


@pytest.mark.parametrize(
    ('name', 'tuning'),
    [
        ('glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365', 'full'),
        ('glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365', 'full'),
        ('glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata', 'full'),
        ('glip_nano_csp_minilm', 'full'),
        ('glip_nano_swin_minilm', 'full'),
        *TUNED,
    ],
)
def test_every_parameter_has_a_gradient(name, tuning):
    model = shrunk(name, tuning)
    assert not Config.fromfile(CONFIGS / f'{name}.py').get('find_unused_parameters')
    batch = two.pictures()
    for pictures in (batch[2:4], batch[1:2]):  # with boxes, and without any
        data = model.data_preprocessor(
            dict(
                inputs=[picture['inputs'] for picture in pictures],
                data_samples=[picture['data_samples'] for picture in pictures],
            ),
            training=True,
        )
        model.zero_grad()
        sum(model(**data, mode='loss').values()).backward()
        unused = [
            n for n, p in model.named_parameters() if p.requires_grad and p.grad is None
        ]
        assert not unused
