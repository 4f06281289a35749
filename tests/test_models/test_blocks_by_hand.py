"""Blocks of the tower and of BERT on a few numbers, worked by hand."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from transformers import BertConfig

from glip.models.cpu import use_cpu_kernels
from glip.models.language import BertLayer, TextFeatures
from glip.models.layers import DyConv, DyReLU, VLFuse
from glip.ops import plain_path
from glip.ops.cpu import modulated_deform_conv2d
from glip.text import TextPrompt

from .conftest import build, tiny

PROMPTS = [TextPrompt.from_classes(names) for names in (['cat'], ['a red car'])]


@pytest.fixture(params=['fast', 'plain'], autouse=True)
def kernels(request):
    """The fast kernels and the plain formulas."""
    with plain_path() if request.param == 'plain' else nullcontext():
        yield


def zeroed(module):
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return use_cpu_kernels(module).eval()


@torch.no_grad()
def test_dyrelu_has_slopes_up_to_2():
    """Hard sigmoids of (3, 0, 0, 0) are 1, 0.5, 0.5, 0.5: the lines 2x and 0."""
    layer = zeroed(DyReLU(4))
    layer.fc[2].bias[:4] = 3
    x = torch.tensor([-1.0, 0.0, 0.5, 3.0]).expand(1, 4, 1, 4)
    expected = torch.tensor([0.0, 0.0, 1.0, 6.0]).expand(1, 4, 1, 4)
    torch.testing.assert_close(layer(x), expected)


def pointwise_tower_block():
    """Convolutions that copy, norms alone, gates of 0.5, lines 2x and x / 2."""
    block = zeroed(DyConv(4, num_groups=1, use_dcn=False))
    for branch in block.dyconvs:
        for channel in range(4):
            branch.conv.weight[channel, channel, 1, 1] = 1
        branch.bn.weight.fill_(1)
    block.relu.fc[2].bias[:4] = 3  # slope 2 * 1
    block.relu.fc[2].bias[8:12] = 1.5  # slope 2 * 0.75 - 1
    return block


@torch.no_grad()
def test_coarser_maps_are_resampled_end_on_end():
    """(-1, 1) over four places is (-1, -1/3, 1/3, 1).

    It has mean 0 and variance 1, so the norm leaves it. The gate makes half of it, the
    mean with the map's own zeros a quarter; of the lines 2x and x / 2 the higher one is
    (-1/8, -1/24, 1/6, 1/2).
    """
    block = pointwise_tower_block()
    fine = torch.zeros(1, 4, 1, 4)
    coarse = torch.tensor([-1.0, 1.0]).expand(1, 4, 1, 2).contiguous()
    output, _ = block((fine, coarse))
    expected = torch.tensor([-1 / 8, -1 / 24, 1 / 6, 1 / 2]).expand(1, 4, 1, 4)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_larger_field_of_offsets_is_read_as_it_lies_in_memory():
    """Offsets of a map twice as wide, read with the strides of the output.

    The input is one row (1, 2, 4), the kernel copies its center tap, number 4 of 9,
    whose offsets are channels 8 and 9. The field has 18 channels of 2x6 = 12 values, of
    which the kernel takes the first 18 * 3 as 18 channels of 3: channel 9, the shifts
    in x, is values 27 to 29 in memory. Those lie in channel 2 of the field.
    """
    row = torch.tensor([1.0, 2.0, 4.0]).view(1, 1, 1, 3)
    weight = torch.zeros(1, 1, 3, 3)
    weight[0, 0, 1, 1] = 1
    offset = torch.zeros(1, 18, 2, 6)
    offset[0, 2, 0, 3:] = torch.tensor([1.0, 0.5, -2.0])  # values 27, 28 and 29
    offset[0, 9] = 100  # the channel of the tap, not where the kernel reads
    # The same of the mask: value 4 * 3 + i in memory is in channel 1.
    mask = torch.zeros(1, 9, 2, 6)
    mask[0, 1, 0, :3] = torch.tensor([1.0, 1.0, 0.5])
    mask[0, 4] = 7
    output = modulated_deform_conv2d(row, offset, mask, weight)
    expected = torch.tensor([2.0, (2 + 4) / 2, 1 * 0.5]).view(1, 1, 1, 3)
    torch.testing.assert_close(output, expected)


@torch.no_grad()
def test_a_coarser_level_reads_the_offsets_of_the_level_itself():
    """The same inside a tower block.

    The finer map is one row of four places, and so is its field of offsets; the coarser
    one has two. Its center tap reads channel 9 of 2 values, 18 and 19 in memory, which
    are places 2 and 3 of channel 4 of the field. There the offset is the value of the
    finer map, (0, 0, 1, -1), so places 0 and 1 of the coarser map change sides. Masks
    are sigmoids of 0 and the norm undoes the half. (-1, 1) becomes (1, -1), and so
    (1/2, 1/6, -1/24, -1/8) after resampling, gate, mean and lines as above; to which
    the map itself adds nothing, as its branch has no weights.
    """
    block = zeroed(DyConv(4, num_groups=1))
    plain = pointwise_tower_block()
    block.load_state_dict(plain.state_dict(), strict=False)
    block.dyconvs[1].conv.weight.zero_()
    block.offset.weight[4, :, 1, 1] = 1 / 4
    fine = torch.tensor([0.0, 0.0, 1.0, -1.0]).expand(1, 4, 1, 4).contiguous()
    coarse = torch.tensor([-1.0, 1.0]).expand(1, 4, 1, 2).contiguous()
    output, _ = block((fine, coarse))
    expected = torch.tensor([1 / 2, 1 / 6, -1 / 24, -1 / 8]).expand(1, 4, 1, 4)
    torch.testing.assert_close(output, expected, atol=1e-3, rtol=0)


@torch.no_grad()
def test_fusion_updates_by_the_layer_scale():
    """Queries and keys are zero, so what is read does not depend on who reads.

    The values that positions read are 1 in all 8 channels, the last projection makes 1
    of them in both, and with its biases the update is (1 + 2, 1 + 4). Words read zeros,
    and their biases are 8. The norm of (3, 1) is (1, -1), the scales are (0.5, 0.25)
    and 2.
    """
    block = zeroed(VLFuse(v_dim=2, l_dim=2, init_values=0.5, embed_dim=8, num_heads=1))
    fusion = block.b_attn
    for norm in (fusion.layer_norm_v, fusion.layer_norm_l):
        norm.weight.fill_(1)
    fusion.gamma_v.copy_(torch.tensor([0.5, 0.25]))
    fusion.gamma_l.fill_(2)
    fusion.attn.values_l_proj.bias.fill_(1)
    fusion.attn.out_v_proj.weight.fill_(1 / 8)
    fusion.attn.out_v_proj.bias.copy_(torch.tensor([2.0, 4.0]))
    fusion.attn.out_l_proj.bias.fill_(8)
    level = torch.tensor([3.0, 1.0]).view(1, 2, 1, 1).repeat(1, 1, 2, 3)
    words = torch.tensor([3.0, 1.0]).expand(1, 2, 2).contiguous()
    text = TextFeatures(words, words, torch.ones(1, 2, dtype=torch.bool))
    (output,), refined = block((level,), text)
    expected = torch.tensor([1 + 0.5 * 3, -1 + 0.25 * 5]).view(1, 2, 1, 1)
    torch.testing.assert_close(output, expected.expand_as(output), atol=1e-4, rtol=0)
    expected = torch.tensor([1.0 + 2 * 8, -1 + 2 * 8]).expand(1, 2, 2)
    torch.testing.assert_close(refined.hidden, expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_words_attend_to_real_words_only():
    """Without queries and keys a word reads the mean of the real ones.

    It is (1, 0) of two words (1, 0), and added to a word (2, 0), which is normed to
    (1, -1) twice. With the padding (0, 9) the mean were (2/3, 3), and the sign another.
    """
    config = BertConfig(
        hidden_size=2, num_attention_heads=1, intermediate_size=2, vocab_size=9
    )
    layer = zeroed(BertLayer(config))
    nn.init.eye_(layer.attention['self'].value.weight)
    nn.init.eye_(layer.attention['output'].dense.weight)
    for norm in (layer.attention['output'].LayerNorm, layer.output.LayerNorm):
        norm.weight.fill_(1)
    words = torch.tensor([[[1.0, 0], [1, 0], [0, 9]]])
    output = layer(words, torch.tensor([[True, True, False]]))[:, :2]
    expected = torch.tensor([1.0, -1.0]).expand(1, 2, 2)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=0)


def bert_layers(model):
    """Layers of the language model, then those of the tower."""
    body = model.language_model.language_backbone.body
    tower = model.bbox_head.head.dyhead_tower
    return [*body.model.encoder.layer, *(x for x in tower if isinstance(x, BertLayer))]


@torch.no_grad()
@pytest.mark.parametrize('number', range(4))
def test_padding_is_masked_in_every_layer(number):
    """Values of padding before a layer do not change the features of real words."""
    torch.manual_seed(0)
    model = build(
        tiny(
            **{
                'bbox_head.num_dyhead_blocks': 2,
                'language_model.config.num_hidden_layers': 2,
                'language_model.pad_to_max': True,
                'language_model.max_tokens': 8,
            }
        )
    )
    use_cpu_kernels(model).eval()
    prompts = [model.language_model.tokenizer.encode(prompt) for prompt in PROMPTS]
    real = model.language_model(prompts).mask
    assert real.sum(1).tolist() == [3, 5]
    levels = tuple(torch.randn(2, 32, *s) for s in ((4, 6), (2, 3), (2, 2), (1, 1)))
    levels = (torch.randn(2, 32, 8, 12), *levels)

    def refined():
        text = model.language_model(prompts)
        _, text = model.bbox_head.head.tower(levels, text)
        return text.hidden[real]

    def disturb(layer, inputs):
        calls.append(1)
        hidden, *others = inputs
        return hidden + 3 * (~real)[..., None] * torch.randn(hidden.shape), *others

    expected, calls = refined(), []
    bert_layers(model)[number].register_forward_pre_hook(disturb)
    torch.testing.assert_close(refined(), expected, atol=1e-5, rtol=1e-5)
    assert calls == [1]
    assert math.isfinite(expected.sum())
