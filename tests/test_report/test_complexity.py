"""Operations counted, against what paper and pencil say."""

import pytest
import torch
from mmengine.config import Config
from tiny_model import tiny_model
from torch import nn
from torchvision.ops import deform_conv2d

from glip.errors import ConfigError
from glip.models.layers.dyhead import DeformConv3x3
from glip.models.layers.fusion import BiMultiHeadAttention
from glip.ops.cpu import modulated_deform_conv2d
from glip.ops.cpu.packed_product import packed_product
from glip.report.complexity import (
    count_macs,
    data_complexity,
    flop_counter,
    in_units,
    mean_of,
    picture_complexity,
    summary,
)


def macs(module, *inputs):
    return count_macs(module, lambda: module.eval()(*inputs))[0]


def test_linear_and_convolution_by_hand():
    assert macs(nn.Linear(5, 7), torch.zeros(3, 5)) == 3 * 5 * 7
    # 8 x 8 pixels by stride 2 are 4 x 4, of 3 x 3 x 2 inputs each, 6 times.
    conv = nn.Conv2d(2, 6, 3, stride=2, padding=1)
    assert macs(conv, torch.zeros(1, 2, 8, 8)) == 4 * 4 * 3 * 3 * 2 * 6


def test_the_counter_knows_the_products_of_fast_kernels():
    x, weight = torch.zeros(2048, 16), torch.zeros(24, 16)
    with flop_counter() as counter:
        packed_product(weight, len(x))(x)
    assert counter.get_total_flops() == 2 * 2048 * 16 * 24


@pytest.mark.parametrize('stride', [1, 2])
def test_a_deformable_convolution_counts_as_a_plain_one(stride):
    size = 8 // stride
    by_hand = 2 * size * size * 9 * 4 * 6
    x = torch.rand(2, 4, 8, 8)
    offset, mask = torch.rand(2, 18, size, size), torch.rand(2, 9, size, size)
    layer = DeformConv3x3(4, 6, stride, deformable=True)
    assert macs(layer, x, offset, mask) == by_hand
    # The other kernel, which GPUs have.
    weight = layer.weight

    def run():
        return deform_conv2d(x, offset, weight, stride=stride, padding=1, mask=mask)

    assert count_macs(layer, run)[0] == by_hand
    same = modulated_deform_conv2d(x, offset, mask, weight, stride=stride)
    torch.testing.assert_close(same, run())


def test_attention_both_ways_by_hand():
    n, t, v, words, dim = 20, 6, 8, 12, 16
    layer = BiMultiHeadAttention(v_dim=v, l_dim=words, embed_dim=dim, num_heads=4)
    mask = torch.ones(1, t, dtype=torch.bool)
    levels = (torch.rand(1, n - 4, v), torch.rand(1, 4, v))
    found = macs(layer, levels, torch.rand(1, t, words), mask, torch.ones(v))
    projections = 3 * n * v * dim + 3 * t * words * dim
    # Pixels to words and words to pixels: scores, and values weighted by them.
    assert found == projections + 2 * 2 * n * t * dim


def tiny(**changes):
    """A small model whose parts can be computed by hand."""
    model = tiny_model(
        {
            'data_preprocessor.mean': [0, 0, 0],
            'data_preprocessor.std': [1, 1, 1],
            'backbone.mlp_ratio': 2,
            'backbone.drop_path_rate': 0.0,
            'neck.type': 'FPN',
            'language_model.config': dict(
                hidden_size=12, num_hidden_layers=2, intermediate_size=20
            ),
            'bbox_head.lang_model_name': 'bert-base-uncased',
            'language_model.name': 'bert-base-uncased',
            'test_cfg': dict(
                nms_pre=100, nms=dict(type='nms', iou_threshold=0.6), max_per_img=5
            ),
        }
    )
    return Config(dict(model=dict(model, **changes)))


def test_parts_of_a_model_by_hand():
    found = picture_complexity(tiny(), shape=(64, 64), text=['cat', 'dog'])
    tokens, hidden, inner = 5, 12, 20  # [CLS] cat . dog [SEP]
    assert found.tokens == tokens and found.prompts == 1
    layer = 4 * tokens * hidden**2 + 2 * tokens * hidden * inner
    attention = 2 * tokens**2 * hidden
    bert = 2 * (layer + attention)
    assert found.parts['language_model'] == bert
    # Laterals, outputs, and two more levels by stride 2: 8, 4, 2, 1, 1 pixels a side.
    laterals = (64 * 16 + 16 * 32 + 4 * 64) * 32
    outputs = (64 + 16 + 4 + 1 + 1) * 9 * 32 * 32
    assert found.parts['neck'] == laterals + outputs
    # In the tower one layer of BERT's size follows the fusion.
    assert found.head['BertLayer'] == bert // 2
    pixels = 64 + 16 + 4 + 1 + 1
    fusion = 3 * pixels * 32 * 16 + 3 * tokens * hidden * 16 + 4 * pixels * tokens * 16
    assert found.head['VLFuse'] == fusion
    assert sum(found.parts.values()) == found.macs
    assert found.input_shape == (64, 64)


def test_the_prompt_counts_and_so_does_splitting_it():
    short = picture_complexity(tiny(), shape=(64, 64), text=['cat'])
    names = [f'name {i}' for i in range(200)]
    long = picture_complexity(tiny(), shape=(64, 64), text=names)
    assert long.prompts > 1 and long.tokens > 600
    assert long.parts['backbone'] == short.parts['backbone']
    assert long.parts['language_model'] > 100 * short.parts['language_model']
    assert long.head['VLFuse'] > short.head['VLFuse']


def test_pictures_are_padded_as_the_model_pads():
    found = picture_complexity(tiny(), shape=(33, 60), text=['cat'])
    assert found.input_shape == (64, 64)


def test_the_summary_says_it_all():
    found = picture_complexity(tiny(), shape=(64, 64), text=['cat'])
    lines = summary(found)
    text = '\n'.join(lines)
    assert 'Input shape: (64, 64)' in lines
    assert 'Prompt: 3 tokens in 1 prompt' in lines
    for name in ('backbone', 'neck', 'language_model', 'bbox_head', 'DyConv', 'Params'):
        assert name in text
    assert mean_of([found, found]) == found
    params = sum(found.part_params.values())
    assert params == found.params


@pytest.mark.parametrize(
    ('number', 'said'), [(1.2e12, '1.2 T'), (45.67e9, '45.67 G'), (12, '12')]
)
def test_units(number, said):
    assert in_units(number) == said


def test_what_makes_no_sense_is_said():
    with pytest.raises(ConfigError, match='height and width'):
        picture_complexity(tiny(), shape=(0, 5), text=['cat'])
    with pytest.raises(ConfigError, match='at least 1'):
        data_complexity(tiny(), 0)
    with pytest.raises(ConfigError, match='no test_dataloader'):
        data_complexity(tiny(), 1)
