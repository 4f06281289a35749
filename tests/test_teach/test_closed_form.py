"""The closed form gives back the detector's own scores."""

import json

import pytest
import torch

from glip.apis.loading import build_model
from glip.errors import ConfigError
from glip.teach.closed_form import class_space, class_targets, fit_words, put_into
from glip.teach.words import PromptSampler, Word, WordList
from glip.text import TextPrompt

from .miniature_start import WORDS, class_layers, nano_config


def test_products_in_the_class_space_are_the_detectors_logits():
    weight, bias = class_layers()
    space = class_space(weight, bias, scale=1.5, offset=-0.8)
    features = torch.randn(5, 8)
    for level in range(2):
        coordinates = features @ space.project[level].t() + space.shift[level]
        logits = coordinates @ space.vectors.t() + space.bias
        expected = 1.5 * (features @ weight[level].t() + bias[level]) - 0.8
        torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)


def test_targets_of_words():
    space = class_space(*class_layers())
    words = [Word('cat', (0,), True), Word('animal', (0, 1)), Word('spoon')]
    one, several, none = class_targets(words, space)
    torch.testing.assert_close(one, torch.cat((space.vectors[0], space.bias[:1])))
    torch.testing.assert_close(several[:-1], space.vectors[:2].mean(0))
    assert none[:-1].abs().max() == 0
    assert none[-1] < -5


def test_names_score_as_the_class_does():
    """With fewer words than channels of a token the fit is close to exact."""
    torch.manual_seed(0)
    model = build_model(nano_config()).eval()
    weight, bias = class_layers()
    space = class_space(weight, bias)
    put_into(model, space, torch.randn(2, 16, 8), torch.randn(2, 16))
    sampler = PromptSampler(WordList.from_dict(WORDS), sentences=0.0)
    fit_words(model, space, sampler, num_draws=40)
    encoded = model.language_model.tokenizer.encode(
        TextPrompt.from_classes(['cat', 'dog', 'bus', 'cloud']), 256
    )
    keys, token_bias = model.bbox_head.head.keys_of(
        model.language_model([encoded]).hidden[0]
    )
    queries = torch.randn(50, 3)
    expected = queries @ space.vectors.t() + space.bias
    for label in range(3):
        token = encoded.entity_tokens[label][0]
        logits = queries @ keys[token, :3] + token_bias[token]
        assert torch.corrcoef(torch.stack((logits, expected[:, label])))[0, 1] > 0.9
    token = encoded.entity_tokens[3][0]
    assert (queries @ keys[token, :3] + token_bias[token]).mean() < -4


def test_boxes_of_the_start_are_the_detectors():
    """bbox_pred picks the deltas that the neck has computed."""
    model = build_model(nano_config()).eval()
    space = class_space(*class_layers())
    put_into(model, space, torch.randn(2, 16, 8), torch.randn(2, 16))
    levels = model.extract_feat(torch.rand(1, 3, 64, 64))
    deltas, centerness = model.bbox_head.head.boxes(levels)
    for level, delta, score in zip(levels, deltas, centerness):
        torch.testing.assert_close(delta, level[:, 3:7] * 10)
        assert score.min() == score.max() > 4


def test_a_neck_of_another_size_is_refused():
    space = class_space(*class_layers())
    model = build_model(nano_config(num_classes=4))
    with pytest.raises(ConfigError, match='3 classes'):
        put_into(model, space, torch.randn(2, 16, 8), torch.randn(2, 16))


def test_word_list_is_read_or_refused(tmp_path):
    path = tmp_path / 'words.json'
    path.write_text(json.dumps(WORDS))
    words = WordList.read(path)
    assert [word.text for word in words.names] == ['cat', 'dog', 'bus']
    assert Word('animal', (0, 1)) in words.synonyms
    path.write_text(json.dumps(dict(synonyms=dict(cat=[]))))
    with pytest.raises(ConfigError, match='other_words'):
        WordList.read(path)
    path.write_text('no JSON')
    with pytest.raises(ConfigError, match='not a word list'):
        WordList.read(path)
    with pytest.raises(ConfigError, match='none'):
        WordList.read(tmp_path / 'none.json')


def test_prompts_say_what_they_mean():
    sampler = PromptSampler(WordList.from_dict(WORDS), seed=3)
    known = {w.text: w for w in (*sampler.words.names, *sampler.words.synonyms)}
    seen = set()
    for _ in range(40):
        for prompt, words in sampler.draw(12):
            assert prompt.num_entities == len(words)
            for ((begin, end),), word in zip(prompt.spans, words):
                phrase = prompt.caption[begin:end]
                stem = word.text[:-3] if word.text.endswith('man') else word.text[:-1]
                assert stem in phrase
                if word.text in known:
                    assert word.classes == known[word.text].classes
                seen.add(word)
    assert any(word.is_name for word in seen)
    assert any(not word.classes for word in seen)


def test_draws_depend_on_the_seed_alone():
    words = WordList.from_dict(WORDS)
    draws = [
        [p.caption for p, _ in PromptSampler(words, seed=seed).draw(20)]
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]
