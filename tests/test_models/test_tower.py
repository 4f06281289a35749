"""Words against positions: the predictions of the tower by their formulas."""

import pytest
import torch

from glip.models.dense_heads import VLFusionModule
from glip.models.language import BertLayer, TextFeatures, resolve_bert_config
from glip.models.layers import DyConv, VLFuse


def tower(**fields):
    torch.manual_seed(0)
    config = resolve_bert_config(
        hidden_size=12, num_attention_heads=2, intermediate_size=24
    )
    built = VLFusionModule(
        in_channels=16,
        num_levels=2,
        num_priors=1,
        lang_config=config,
        num_dyhead_blocks=2,
        **fields,
    ).eval()
    with torch.no_grad():
        built.bias_lang.normal_()
        built.log_scale.fill_(0.3)
    return built


def text(batch=2, tokens=5):
    mask = torch.ones(batch, tokens, dtype=torch.bool)
    mask[-1, 3:] = False
    hidden = torch.randn(batch, tokens, 12)
    return TextFeatures(hidden, torch.randn(batch, tokens, 12), mask)


@torch.no_grad()
@pytest.mark.parametrize('early_fuse', [True, False])
def test_logits_by_formula(early_fuse):
    """Fused towers score the refined words, others the language model's."""
    head, words = tower(early_fuse=early_fuse), text()
    level = torch.randn(2, 16, 3, 4)
    (found,) = head.token_logits((level,), words)
    assert found.shape == (2, 12, 5)
    tokens = words.hidden if early_fuse else words.embedded
    tokens = tokens / tokens.square().sum(-1, keepdim=True).sqrt()
    projection = head.dot_product_projection_text
    for b in range(2):
        for y in range(3):
            for x in range(4):
                keys = tokens[b] / 2 @ projection.weight.t() + projection.bias
                expected = keys @ level[b, :, y, x] / torch.tensor(0.3).exp()
                expected += tokens[b] @ head.bias_lang - 4.59512
                torch.testing.assert_close(
                    found[b, y * 4 + x], expected, atol=1e-4, rtol=1e-4
                )


@torch.no_grad()
def test_logits_are_limited():
    head = tower(early_fuse=True)
    level = torch.full((1, 16, 1, 1), 1e7)
    (found,) = head.token_logits((level,), text(1))
    assert found.abs().max() == 50000


@torch.no_grad()
def test_deltas_have_a_factor_per_level():
    head = tower()
    levels = (torch.randn(1, 16, 4, 4), torch.randn(1, 16, 2, 2))
    head.scales[1].scale.fill_(3.0)
    deltas, centerness = head.boxes(levels)
    torch.testing.assert_close(deltas[0], head.bbox_pred(levels[0]))
    torch.testing.assert_close(deltas[1], head.bbox_pred(levels[1]) * 3)
    torch.testing.assert_close(centerness[1], head.centerness(levels[1]))


@torch.no_grad()
def test_blocks_run_in_order_and_hand_on_words():
    head, words = tower(early_fuse=True), text()
    levels = (torch.randn(2, 16, 4, 4), torch.randn(2, 16, 2, 2))
    visual, refined = head.tower(levels, words)
    assert len(head.dyhead_tower) == 6
    assert all(map(isinstance, head.dyhead_tower, [VLFuse, BertLayer, DyConv] * 2))
    expected, hidden = levels, words
    for fuse, layer, conv in zip(*[iter(head.dyhead_tower)] * 3, strict=True):
        expected, hidden = fuse(expected, hidden)
        hidden = TextFeatures(
            layer(hidden.hidden, words.mask), words.embedded, words.mask
        )
        expected = conv(expected)
    torch.testing.assert_close(visual, expected)
    torch.testing.assert_close(refined.hidden, hidden.hidden)
    assert torch.equal(refined.embedded, words.embedded)
    assert not torch.allclose(refined.hidden, words.hidden, atol=0.1)


@torch.no_grad()
def test_words_do_not_touch_a_tower_without_fusion():
    head, words = tower(), text()
    levels = (torch.randn(2, 16, 4, 4), torch.randn(2, 16, 2, 2))
    assert all(isinstance(block, DyConv) for block in head.dyhead_tower)
    visual, same = head.tower(levels, words)
    assert same is words
    other, _ = head.tower(levels, text())
    torch.testing.assert_close(visual, other)
