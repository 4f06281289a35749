"""A local language-model folder stands in for a hub id."""

import pytest
from transformers import AutoTokenizer, BertConfig, BertModel

from glip.checkpoints.language import save_language_model
from glip.errors import CheckpointError
from glip.text import TextPrompt, Tokenizer

TEXT = 'Two Café-tables, a traffic light. zebra_(animal)'


def test_shape_and_vocabulary_without_a_network(tmp_path):
    out = save_language_model(tmp_path / 'bert', weights=False)
    assert BertConfig.from_pretrained(out).hidden_size == 768
    encode = AutoTokenizer.from_pretrained(out)
    prompt = Tokenizer().encode(TextPrompt.from_classes(['cat', 'dog']))
    assert tuple(encode(prompt.prompt.caption)['input_ids']) == prompt.input_ids
    assert encode(TEXT)['input_ids'] == encode(TEXT.lower())['input_ids']
    assert Tokenizer(str(out)).vocab_size == 30522


def test_copy_of_a_local_folder_with_weights(tmp_path):
    source, out = tmp_path / 'source', tmp_path / 'out'
    save_language_model(source, weights=False)
    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    config.save_pretrained(source)
    model = BertModel(config, add_pooling_layer=False)
    model.save_pretrained(source)
    save_language_model(out, str(source))
    copy = BertModel.from_pretrained(out, add_pooling_layer=False)
    for name, tensor in model.state_dict().items():
        assert tensor.equal(copy.state_dict()[name])
    assert Tokenizer(str(out)).vocab_size == 30522


def test_refusals(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(CheckpointError, match='is a file'):
        save_language_model(tmp_path / 'file')
    save_language_model(tmp_path / 'bare', weights=False)
    with pytest.raises(
        CheckpointError, match='cannot get the language model'
    ) as caught:
        save_language_model(tmp_path / 'out', str(tmp_path / 'bare'))
    assert '\n' not in str(caught.value)
    assert not (tmp_path / 'out').exists()
