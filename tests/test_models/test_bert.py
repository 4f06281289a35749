"""What the language model hands on, by transformers' own outputs."""

import dataclasses

import pytest
import torch
import transformers

from glip.text import TextPrompt

from .conftest import build, tiny


def language_model(**changes):
    torch.manual_seed(0)
    cfg = tiny().language_model
    cfg.config.update(num_hidden_layers=3)
    cfg.update(changes)
    return build(cfg).eval()


def prompts_of(model, *texts):
    return [model.tokenizer.encode(TextPrompt.from_classes(t)) for t in texts]


@torch.no_grad()
@pytest.mark.parametrize('layers', [1, 2])
def test_readout(layers):
    """The last state, and the mean of the last ones divided by their number again."""
    model = language_model(num_layers_of_embedded=layers)
    prompts = prompts_of(model, ['a red cat', 'dog'], ['cat'])
    found = model(prompts)
    ours = model.language_backbone.body.model
    config = transformers.BertConfig(**dataclasses.asdict(model.config))
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    bert.load_state_dict(ours.state_dict())
    for row, prompt in enumerate(prompts):
        length = len(prompt.input_ids)
        states = bert(
            torch.tensor([prompt.input_ids]), output_hidden_states=True
        ).hidden_states
        mean = sum(states[-layers:]) / layers / layers
        torch.testing.assert_close(
            found.hidden[row, :length], states[-1][0], atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(
            found.embedded[row, :length], mean[0], atol=1e-5, rtol=1e-4
        )
        assert (found.embedded[row, length:] == 0).all()
        assert found.mask[row].sum() == length


@torch.no_grad()
def test_equal_prompts_keep_their_places():
    model = language_model()
    a, b, c = prompts_of(model, ['cat'], ['a dog'], ['a red car'])
    found = model([c, a, b, a, c])
    for row, prompt in enumerate((c, a, b, a, c)):
        alone = model([prompt])
        length = len(prompt.input_ids)
        torch.testing.assert_close(
            found.hidden[row, :length], alone.hidden[0], atol=1e-5, rtol=1e-4
        )


def test_an_unused_pooler_does_not_train():
    model = language_model(add_pooling_layer=True)
    pooler = model.language_backbone.body.model.pooler
    assert not any(p.requires_grad for p in pooler.parameters())
