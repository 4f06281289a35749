"""Fusion, tower and text layers against plain formulas and other libraries."""

import importlib

import official
import pytest
import torch
import torch.nn.functional as F
from transformers import BertConfig, BertModel

from glip.models.cpu import use_cpu_kernels
from glip.models.language import BertLayer, TextFeatures
from glip.models.layers import BiAttention, DyConv, DyReLU, VLFuse
from glip.models.layers.fusion import BiMultiHeadAttention
from glip.ops import plain_path

absorbed = importlib.import_module('glip.ops.cpu.absorbed_attention')


def randomise(module):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return use_cpu_kernels(module).eval()


@torch.no_grad()
def test_cross_attention_is_the_papers_formula():
    torch.manual_seed(0)
    attention = randomise(
        BiMultiHeadAttention(v_dim=6, l_dim=10, embed_dim=8, num_heads=2)
    )
    v, words = torch.randn(2, 9, 6), torch.randn(2, 4, 10)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    (found_v,), found_l = attention((v.clone(),), words, mask, torch.ones(6))
    for b in range(2):
        q, k = attention.v_proj(v[b]), attention.l_proj(words[b])
        value_v, value_l = (
            attention.values_v_proj(v[b]),
            attention.values_l_proj(words[b]),
        )
        outs_v, outs_l = [], []
        for head in (slice(0, 4), slice(4, 8)):
            similarity = q[:, head] @ k[:, head].t() / 2  # sqrt(4) channels per head
            to_words = similarity.masked_fill(~mask[b], float('-inf')).softmax(1)
            outs_v.append(to_words @ value_l[:, head])
            outs_l.append(similarity.t().softmax(1) @ value_v[:, head])
        expected_v = v[b] + attention.out_v_proj(torch.cat(outs_v, 1))
        expected_l = attention.out_l_proj(torch.cat(outs_l, 1))
        torch.testing.assert_close(found_v[b], expected_v, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found_l[b], expected_l, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_fusion_adds_to_the_normed_input():
    block = BiAttention(v_dim=6, l_dim=10, init_values=0.0, embed_dim=8, num_heads=2)
    v, words = torch.randn(1, 5, 6), torch.randn(1, 3, 10)
    (found_v,), found_l = block.eval()((v,), words, None)
    torch.testing.assert_close(found_v, F.layer_norm(v, (6,)))
    torch.testing.assert_close(found_l, F.layer_norm(words, (10,)))


def test_fusion_with_checkpointing_gives_the_same_gradients():
    torch.manual_seed(0)
    fields = dict(
        v_dim=6, l_dim=10, init_values=0.5, embed_dim=8, num_heads=2, dropout=0.0
    )
    plain, saving = VLFuse(**fields), VLFuse(**fields, use_checkpoint=True)
    saving.load_state_dict(plain.state_dict())
    levels = (torch.randn(1, 6, 4, 4), torch.randn(1, 6, 2, 2))
    hidden = torch.randn(1, 3, 10)
    text = TextFeatures(hidden, hidden, torch.ones(1, 3, dtype=torch.bool))
    for block in (plain, saving):
        visual, words = block.train()(levels, text)
        assert [v.shape for v in visual] == [v.shape for v in levels]
        (sum(v.square().sum() for v in visual) + words.hidden.sum()).backward()
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def fused_gradients(block, levels, text):
    torch.manual_seed(4)
    block.zero_grad()
    visual, words = block(levels, text)
    (sum(v.square().sum() for v in visual) + words.hidden.square().sum()).backward()
    return visual, [parameter.grad for parameter in block.parameters()]


def fusion_and_inputs(**changes):
    torch.manual_seed(0)
    fields = dict(v_dim=6, l_dim=10, init_values=0.5, embed_dim=12, num_heads=2)
    block = use_cpu_kernels(VLFuse(**fields | changes))
    levels = tuple(torch.randn(2, 6, *s, requires_grad=True) for s in ((4, 4), (2, 3)))
    hidden = torch.randn(2, 3, 10, requires_grad=True)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    return block.train(), levels, TextFeatures(hidden, hidden, mask)


def test_fusion_learns_as_its_plain_form_does():
    block, levels, text = fusion_and_inputs(dropout=0.0, drop_path=0.5)
    _, found = fused_gradients(block, levels, text)
    with plain_path():
        _, expected = fused_gradients(block, levels, text)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_checkpointed_fusion_recomputes_only_what_is_cheap(monkeypatch):
    """The norms of positions always, the projections of tokens when it is to save."""
    calls = []
    usual = absorbed.linear
    monkeypatch.setattr(
        absorbed, 'linear', lambda *args: calls.append('tokens') or usual(*args)
    )
    counts = {}
    for saving in (False, True):
        block, levels, text = fusion_and_inputs(use_checkpoint=saving)
        block.b_attn.layer_norm_v.register_forward_hook(lambda *_: calls.append('norm'))
        block.b_attn.attn.register_forward_hook(lambda *_: calls.append('whole'))
        calls.clear()
        counts[saving] = (
            *fused_gradients(block, levels, text)[1],
            *map(calls.count, ('whole', 'norm', 'tokens')),
        )
    assert counts[False][-3:] == (1, 4, 3)  # key, value and output of tokens
    assert counts[True][-3:] == (1, 4, 6)
    for one, other in zip(counts[False][:-3], counts[True][:-3], strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
@pytest.mark.parametrize(
    'memory_format', [torch.channels_last, torch.contiguous_format]
)
def test_fusion_of_rows_and_of_maps_is_the_same(memory_format):
    """And what comes out are rows, which the tower after it likes to read."""
    block, levels, text = fusion_and_inputs()
    block.eval()
    maps = tuple(level.contiguous(memory_format=memory_format) for level in levels)
    before = [level.clone() for level in maps]
    found, _ = block(maps, text)
    with plain_path():
        expected, _ = block(maps, text)
    assert all(map(torch.equal, maps, before))
    for one, other in zip(found, expected, strict=True):
        assert one.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize('where', ['fusion', 'fusion path', 'words', 'word states'])
def test_each_chance_acts_in_training_only(where):
    torch.manual_seed(0)
    words, mask = torch.randn(4, 5, 12), torch.ones(4, 5).bool()
    if where.startswith('fusion'):
        rates = (
            dict(dropout=0.5) if where == 'fusion' else dict(dropout=0, drop_path=0.5)
        )
        block = BiAttention(
            v_dim=6, l_dim=12, init_values=1.0, embed_dim=8, num_heads=2, **rates
        )
        inputs = ((torch.randn(4, 9, 6),), words, mask)
    else:
        config = BertConfig(
            hidden_size=12,
            num_attention_heads=2,
            intermediate_size=24,
            attention_probs_dropout_prob=0.5 if where == 'words' else 0.0,
            hidden_dropout_prob=0.5 if where == 'word states' else 0.0,
        )
        block, inputs = BertLayer(config), (words, mask)
    randomise(block)

    def run():
        out = block(*inputs)
        if where.startswith('fusion'):
            out = torch.cat([x.flatten() for x in (*out[0], out[1])])
        return out

    assert torch.equal(run(), run())
    block.train()
    assert not torch.equal(run(), run())


@torch.no_grad()
def test_bert_layer_equals_transformers():
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=24,
        num_attention_heads=3,
        intermediate_size=48,
        num_hidden_layers=1,
        vocab_size=9,
    )
    theirs = randomise(BertModel(config, add_pooling_layer=False))
    ours = BertLayer(config).eval()
    ours.load_state_dict(theirs.encoder.layer[0].state_dict())
    ids = torch.randint(0, 9, (2, 6))
    mask = torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    states = theirs(ids, attention_mask=mask, output_hidden_states=True).hidden_states
    found = ours(states[0], mask.bool())
    real = mask.bool()
    torch.testing.assert_close(found[real], states[1][real], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_recorded_dyrelu():
    layer = DyReLU(16)
    for name, parameter in layer.named_parameters():
        parameter.copy_(official.unit(f'dyrelu.{name}', parameter.shape))
    expected = torch.from_numpy(official.arrays('ops')['dyrelu.out'])
    found = layer(official.unit('dyrelu.x', (2, 16, 5, 6)).float())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_dyconv_of_one_level_by_hand():
    """A pyramid of one level has one source: conv, norm, attention, DyReLU."""
    torch.manual_seed(0)
    block = randomise(DyConv(8, num_groups=2, use_dcn=False))
    x = torch.randn(1, 8, 6, 5)
    same = block.dyconvs[1]
    y = F.group_norm(
        F.conv2d(x, same.conv.weight, same.conv.bias, padding=1),
        2,
        same.bn.weight,
        same.bn.bias,
    )
    conv = block.attnconv[1]
    gate = F.conv2d(y.mean((2, 3), keepdim=True), conv.weight, conv.bias).relu()
    expected = block.relu(y * ((gate + 3).clamp(0, 6) / 6))
    torch.testing.assert_close(block((x,))[0], expected)


def aligned(size, wide):
    """Matrix that resamples a line of ``size`` to ``wide``, ends on ends."""
    matrix = torch.zeros(wide, size)
    for i in range(wide):
        at = i * (size - 1) / (wide - 1)
        low = min(int(at), size - 2)
        matrix[i, low], matrix[i, low + 1] = 1 - (at - low), at - low
    return matrix


@torch.no_grad()
@pytest.mark.parametrize('use_dcn', [False, True])
def test_dyconv_of_three_levels_by_hand(use_dcn):
    """Finer by stride 2, coarser by resampling, the mean of what they are gated to."""
    torch.manual_seed(0)
    block = randomise(DyConv(8, num_groups=2, use_dcn=use_dcn))
    levels = [torch.randn(1, 8, *s) for s in ((8, 12), (4, 6), (2, 3))]
    above, same, below = (
        lambda x, *field, b=branch: b.bn(b.conv(x, *field)) for branch in block.dyconvs
    )
    feature = levels[1]
    field = ()
    if use_dcn:
        offset, mask = block.offset(feature).split((18, 9), 1)
        field = (offset, mask.sigmoid())
    up = aligned(2, 4) @ above(levels[2], *field) @ aligned(3, 6).t()
    conv = block.attnconv[1]
    sources = []
    for y in (same(feature, *field), below(levels[0], *field), up):
        gate = F.conv2d(y.mean((2, 3), keepdim=True), conv.weight, conv.bias).relu()
        sources.append(y * ((gate + 3).clamp(0, 6) / 6))
    expected = block.relu(sum(sources) / 3)
    torch.testing.assert_close(block(levels)[1], expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_dyrelu_by_hand():
    """Two lines of slopes 2 s and 2 s - 1 and offsets o - 0.5, whichever is higher."""
    layer = DyReLU(4)
    for parameter in layer.parameters():
        parameter.zero_()
    # Hard sigmoids of 0.75, 0.25, 1.5 and -0.75: 0.625, 0.54, 0.75 and 0.375.
    for i, value in enumerate((0.75, 0.25, 1.5, -0.75)):
        layer.fc[2].bias[4 * i : 4 * i + 4] = value
    x = torch.linspace(-3, 3, 16).view(1, 4, 2, 2)
    first = x * (2 * 0.625) + (0.25 / 6 + 0.5 - 0.5)
    second = x * (2 * 0.75 - 1) + (0.375 - 0.5)
    torch.testing.assert_close(layer(x), torch.maximum(first, second))


@torch.no_grad()
def test_fused_levels_keep_their_places():
    """Every position of every level is updated by its own attention to the words."""
    torch.manual_seed(0)
    fields = dict(v_dim=6, l_dim=10, init_values=0.5, embed_dim=8, num_heads=2)
    block = randomise(VLFuse(**fields))
    levels = (torch.randn(1, 6, 4, 3), torch.randn(1, 6, 2, 2))
    hidden = torch.randn(1, 3, 10)
    text = TextFeatures(hidden, hidden, torch.tensor([[True, True, False]]))
    visual, words = block(levels, text)
    assert words.embedded is hidden
    for level, found in zip(levels, visual, strict=True):
        for y in range(level.shape[2]):
            for x in range(level.shape[3]):
                place = level[:, :, y, x][:, None]
                (one,), _ = block.b_attn((place,), hidden, text.mask)
                torch.testing.assert_close(found[:, :, y, x], one[:, 0])


@pytest.mark.parametrize(
    'options', [{}, dict(use_dcn=False), dict(use_dyfuse=False), dict(use_dyrelu=False)]
)
def test_dyconv_keeps_shapes_also_of_odd_sizes(options):
    block = use_cpu_kernels(DyConv(16, **options))
    levels = tuple(torch.randn(1, 16, *s) for s in ((13, 25), (7, 13), (4, 7), (1, 1)))
    found = block(levels[:3])
    assert [f.shape for f in found] == [x.shape for x in levels[:3]]


@pytest.mark.parametrize('use_dcn', [True, False])
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize('batch', [1, 2])
def test_dyconv_equals_the_plain_path(use_dcn, layout, batch):
    """Sizes of which resampling doubles none, in one tile and in several."""
    torch.manual_seed(0)
    block = use_cpu_kernels(DyConv(32, use_dcn=use_dcn)).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    levels = tuple(
        (torch.randn(batch, 32, *s) + 1)
        .double()
        .contiguous(memory_format=layout)
        .requires_grad_()
        for s in ((49, 51), (25, 26), (13, 13), (7, 7), (4, 4), (2, 2), (1, 1))
    )
    before = [x.clone() for x in levels]
    inputs = [*levels, *block.parameters()]

    def run():
        outs = block(levels)
        grads = torch.autograd.grad(sum(x.sin().sum() for x in outs), inputs)
        with torch.no_grad():
            again = block(levels)
        return outs, again, grads

    outs, again, grads = run()
    assert all(torch.equal(x, y) for x, y in zip(levels, before, strict=True))
    with plain_path():
        expected, _, expected_grads = run()
    for one, other, third in zip(outs, again, expected, strict=True):
        assert one.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(one, other)
        torch.testing.assert_close(one, third, atol=1e-9, rtol=1e-9)
    for one, other in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-7)


@torch.no_grad()
def test_dyconv_in_single_precision_is_as_exact_as_the_plain_path():
    torch.manual_seed(0)
    block = use_cpu_kernels(DyConv(64))
    levels = tuple(torch.randn(1, 64, *s) for s in ((60, 80), (30, 40)))
    found = block(levels)
    with plain_path():
        plain = block(levels)
        exact = block.double()(tuple(x.double() for x in levels))
    for one, other, true in zip(found, plain, exact, strict=True):
        assert (one - true).norm() < 2 * (other - true).norm()


def test_dyconv_with_checkpointing_gives_the_same_gradients():
    torch.manual_seed(0)
    plain, saving = DyConv(16), DyConv(16, use_checkpoint=True)
    saving.load_state_dict(plain.state_dict())
    levels = (torch.randn(1, 16, 8, 8), torch.randn(1, 16, 4, 4))
    for block in (plain, saving):
        sum(x.square().sum() for x in block.train()(levels)).backward()
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
