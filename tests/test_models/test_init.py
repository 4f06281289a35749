"""Weights at the start are drawn as the original draws them."""

import math

import pytest
import torch
from mmengine.config import Config
from torch import nn

from glip.models.language import resolve_bert_config
from glip.models.layers import BiAttention, DyConv

from .conftest import CONFIGS, build, tiny


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    built = build(
        tiny(
            **{
                'neck.out_channels': 128,
                'bbox_head.in_channels': 128,
                'bbox_head.feat_channels': 128,
                'bbox_head.num_dyhead_blocks': 2,
                'language_model.pretrained': False,
            }
        )
    )
    built.init_weights()
    return built


def assert_normal(weight, std):
    values = weight.detach().flatten()
    spread = 4 / math.sqrt(len(values))  # four standard errors
    assert values.std().item() == pytest.approx(std, rel=spread)
    # About one in three values of a normal distribution is beyond its deviation.
    beyond = (values.abs() > std).float().mean().item()
    assert beyond == pytest.approx(0.317, abs=spread / 2)


def assert_uniform(weight, bound):
    values = weight.detach().flatten()
    assert values.abs().max().item() == pytest.approx(bound, rel=0.02)
    assert values.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)


def test_predictions(model):
    head = model.bbox_head.head
    for conv in (head.bbox_pred, head.centerness):
        assert_normal(conv.weight, 0.01)
        assert (conv.bias == 0).all()
    # Every word starts with the probability of one in a hundred.
    assert head.bias0.sigmoid().item() == pytest.approx(0.01, rel=1e-5)
    assert head.bias0.item() == pytest.approx(-4.595, abs=1e-3)
    assert (head.bias_lang == 0).all()
    assert head.log_scale.item() == 0
    assert [scale.scale.item() for scale in head.scales] == [1.0] * 5


def test_fusion(model):
    blocks = [m for m in model.modules() if isinstance(m, BiAttention)]
    assert len(blocks) == 2
    for block in blocks:
        for gamma in (block.gamma_v, block.gamma_l):
            assert (gamma == 1 / 2).all()
        for layer in block.attn.children():
            if isinstance(layer, nn.Linear):
                bound = math.sqrt(6 / (layer.in_features + layer.out_features))
                assert_uniform(layer.weight, bound)
                assert (layer.bias == 0).all()


@pytest.mark.parametrize(('size', 'blocks'), [('swin-t_b', 6), ('swin-l', 8)])
def test_layer_scale_is_one_over_the_blocks_of_each_size(size, blocks):
    (name,) = (p for p in CONFIGS.glob(f'*{size}_fpn*pretrain*.py'))
    head = Config.fromfile(name).model.bbox_head
    head.update(in_channels=16, feat_channels=16, fusion=dict(embed_dim=16))
    lang = resolve_bert_config(**tiny().language_model.config)
    built = build(dict(head, lang_config=lang))
    gammas = [m.gamma_v for m in built.modules() if isinstance(m, BiAttention)]
    assert len(gammas) == blocks
    assert all((gamma == 1 / blocks).all() for gamma in gammas)


def test_tower(model):
    for block in (m for m in model.modules() if isinstance(m, DyConv)):
        for conv in block.dyconvs:
            assert_uniform(conv.conv.weight, 1 / math.sqrt(9 * 128))
            assert (conv.conv.bias == 0).all()
        assert_normal(block.attnconv[1].weight, 0.01)
        assert (block.attnconv[1].bias == 0).all()


def test_plain_convolutions_of_the_tower():
    torch.manual_seed(0)
    for conv in DyConv(64, use_dcn=False).dyconvs:
        assert_normal(conv.conv.weight, 0.01)
        assert (conv.conv.bias == 0).all()


def test_pyramid(model):
    for conv in (m for m in model.neck.modules() if isinstance(m, nn.Conv2d)):
        assert_uniform(conv.weight, math.sqrt(3 / conv.weight[0].numel()))
        assert (conv.bias == 0).all()


def test_backbone(model):
    for name, module in model.backbone.named_modules():
        if isinstance(module, nn.Linear):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.2), name
            assert module.bias is None or (module.bias == 0).all()
        if isinstance(module, nn.LayerNorm):
            assert (module.weight == 1).all() and (module.bias == 0).all()
