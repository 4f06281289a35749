"""Names and channel orders of the original against ours."""

import official
import pytest
import torch
from torch import nn
from torch.nn.functional import unfold

from glip.checkpoints.layouts import (
    PROMPT_KEY,
    detect,
    reorder_patch_merging,
    to_mmdet,
    unwrap,
)
from glip.errors import CheckpointError


def merge_as_original(x):
    """(C, H, W) to (H/2 * W/2, 4C): four neighbours, each with all channels."""
    x = x.permute(1, 2, 0)
    parts = [x[0::2, 0::2], x[1::2, 0::2], x[0::2, 1::2], x[1::2, 1::2]]
    return torch.cat(parts, -1).flatten(0, 1)


def merge_as_unfold(x):
    return unfold(x[None], kernel_size=2, stride=2)[0].T


def test_patch_merging_gives_the_same_output_in_either_order():
    torch.manual_seed(0)
    channels = 6
    x = torch.randn(channels, 8, 10)
    norm, reduction = nn.LayerNorm(4 * channels), nn.Linear(4 * channels, 7, bias=False)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    expected = reduction(norm(merge_as_original(x)))

    for parameter in (norm.weight, norm.bias, reduction.weight):
        parameter.data = reorder_patch_merging(parameter.data)
    torch.testing.assert_close(reduction(norm(merge_as_unfold(x))), expected)
    assert not torch.allclose(reduction(norm(merge_as_original(x))), expected)


def test_every_kind_of_name_is_mapped(original):
    state = to_mmdet(original)
    block, their_block = 'backbone.stages.1.blocks.0.', 'body.layers.1.blocks.0.'
    bert = 'language_backbone.body.model.embeddings.word_embeddings.weight'
    pairs = {
        'backbone.patch_embed.projection.weight': 'body.patch_embed.proj.weight',
        'backbone.norm1.weight': 'body.norm1.weight',
        f'{block}attn.w_msa.qkv.weight': f'{their_block}attn.qkv.weight',
        f'{block}ffn.layers.0.0.weight': f'{their_block}mlp.fc1.weight',
        f'{block}ffn.layers.1.bias': f'{their_block}mlp.fc2.bias',
        'neck.lateral_convs.1.conv.weight': 'fpn.fpn_inner3.weight',
        'neck.fpn_convs.0.conv.weight': 'fpn.fpn_layer2.weight',
        'neck.fpn_convs.2.conv.weight': 'fpn.top_blocks.p6.weight',
        'neck.fpn_convs.3.conv.weight': 'fpn.top_blocks.p7.weight',
    }
    pairs = {new: f'backbone.{old}' for new, old in pairs.items()}
    tower = 'head.dyhead_tower'
    pairs |= {
        'bbox_head.head.bbox_pred.weight': 'rpn.head.bbox_pred.weight',
        f'bbox_head.{tower}.0.b_attn.gamma_v': f'rpn.{tower}.0.b_attn.gamma_v',
        f'bbox_head.{tower}.2.dyconvs.1.conv.weight': (
            f'rpn.{tower}.2.DyConv.1.conv.weight'
        ),
        f'bbox_head.{tower}.2.attnconv.1.bias': f'rpn.{tower}.2.AttnConv.1.bias',
        f'language_model.{bert}': bert,
    }
    for new, old in pairs.items():
        assert torch.equal(state[new], original[old]), new
    assert state['bbox_head.head.scales.0.scale'].shape == ()
    assert f'{block}attn.w_msa.relative_position_index' in state
    dropped = ('cls_logits', 'anchor', 'position_ids')
    assert not [name for name in state if any(part in name for part in dropped)]
    # Three names are dropped: cls_logits, anchors, position ids.
    assert len(state) == len(original) - 3


def test_a_name_nobody_knows_is_kept_to_be_reported(original):
    original['rpn.head.mystery.weight'] = torch.zeros(1)
    assert 'bbox_head.head.mystery.weight' in to_mmdet(original)


def test_a_tuned_prompt_gets_a_name_of_its_own(original):
    original['rpn.tunable_linear.weight'] = torch.ones(10, 8)
    assert torch.equal(to_mmdet(original)[PROMPT_KEY], torch.ones(10, 8))


@pytest.mark.parametrize(
    'theirs, ours',
    [('glip_t_a', 'glip_tiny_a'), ('glip_t_b', 'glip_tiny_b'), ('glip_l', 'glip_l')],
)
def test_full_size_names_and_shapes_are_exactly_mmdets(theirs, ours):
    shapes = official.figures('state_dict_full')[theirs]
    wanted = official.figures('state_dict_mmdet')[ours]
    state = {n: torch.empty(s, device='meta') for n, s in shapes['state_dict'].items()}
    converted = to_mmdet(state)
    assert {name: list(t.shape) for name, t in converted.items()} == wanted


def test_layouts_are_told_apart(original, ours):
    assert detect(original) == 'original'
    assert detect(ours) == 'mmdet'
    assert detect(['conv1.weight', 'layer1.0.bn1.bias', 'fc.weight']) == 'unknown'


@pytest.mark.parametrize(
    'wrap',
    [
        lambda s: s,
        lambda s: {f'module.{k}': v for k, v in s.items()},
        lambda s: {f'module._orig_mod.{k}': v for k, v in s.items()},
        lambda s: {'model': {f'module.{k}': v for k, v in s.items()}, 'iteration': 7},
        lambda s: {'model': s, 'model_ema': {k: -v for k, v in s.items()}},
        lambda s: {'state_dict': s, 'meta': {'epoch': 1}, 'optimizer': {'state': {}}},
        lambda s: {'state_dict': s, 'ema_state_dict': {k: -v for k, v in s.items()}},
        lambda s: {
            'state_dict': {f'model.{k}': v for k, v in s.items()},
            'pytorch-lightning_version': '2.0',
        },
    ],
)
def test_wrappings_come_off(ours, wrap):
    state = unwrap(wrap(ours))
    assert state.keys() == ours.keys()
    assert all(torch.equal(state[name], ours[name]) for name in ours)


@pytest.mark.parametrize('content', [{}, {'meta': {}, 'epoch': 3}, {'state_dict': {}}])
def test_a_file_without_tensors_is_refused(content):
    with pytest.raises(CheckpointError, match='no weights inside'):
        unwrap(content)
