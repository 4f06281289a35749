"""Every shipped config builds; full sizes have exactly the published names."""

import json

import pytest
import torch
from mmengine.config import Config

from .conftest import CONFIGS, build

TEN = [
    'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365',
    'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg',
    'glip_atss_swin-t_fpn_dyhead_pretrain_obj365-goldg-cc3m-sub',
    'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata',
    'glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_b_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_c_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-t_fpn_dyhead_16xb2_ms-2x_funtune_coco',
    'glip_atss_swin-l_fpn_dyhead_16xb2_ms-2x_funtune_coco',
]


@pytest.mark.parametrize('name', TEN)
def test_builds_at_full_size(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    assert cfg.default_scope == 'glip'
    # Nothing is allocated on this device, so GLIP-L costs no memory.
    with torch.device('meta'):
        model = build(cfg.model)
    millions = sum(p.numel() for p in model.parameters()) / 1e6
    # The original's counts less its unused class convolution and unused norms.
    expected = 430.4 if 'swin-l' in name else 151.4 if '-t_a_' in name else 231.8
    assert millions == pytest.approx(expected, abs=0.1)
    head = 8 if 'swin-l' in name else 6
    blocks = len(model.bbox_head.head.dyhead_tower)
    assert blocks == (head if '-t_a_' in name else 3 * head)
    if 'funtune' in name:
        assert cfg.load_from.startswith('glip-')
        assert cfg.optim_wrapper.optimizer.type == 'AdamW'


@pytest.mark.parametrize(
    ('size', 'name'),
    [('glip_tiny_a', TEN[0]), ('glip_tiny_b', TEN[1]), ('glip_l', TEN[4])],
)
def test_names_and_shapes_are_the_published_ones(shared, size, name):
    published = json.loads((shared / 'official' / 'state_dict_mmdet.json').read_text())[
        size
    ]
    with torch.device('meta'):
        model = build(Config.fromfile(CONFIGS / f'{name}.py').model)
    own = {key: list(value.shape) for key, value in model.state_dict().items()}
    assert own == published


def test_nano_is_small():
    cfg = Config.fromfile(CONFIGS / 'glip_nano_mbv2_minilm.py')
    model = build(cfg.model)
    count = sum(p.numel() for p in model.parameters())
    assert 15e6 < count < 25e6
    assert count * 2 <= 45e6  # bytes of a half-precision checkpoint


def test_a_config_of_mmdet_carries_over():
    """Field names and types of mmdet's GLIP mean the same in our scope."""
    cfg = Config.fromfile(CONFIGS / f'{TEN[1]}.py').model
    assert cfg.bbox_head.type == 'ATSSVLFusionHead'
    assert cfg.bbox_head.early_fuse
    assert cfg.bbox_head.num_dyhead_blocks == 6
    assert cfg.language_model.name == 'bert-base-uncased'
    for field in ('backbone', 'neck', 'bbox_head', 'language_model', 'train_cfg'):
        assert field in cfg
