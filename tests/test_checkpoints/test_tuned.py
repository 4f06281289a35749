"""Files of tuned weights: what they hold, and where they are refused."""

import json

import interrupted_run
import pytest
import torch
from safetensors.torch import load_file, save_file

from glip.checkpoints import load_into, load_prompt, load_tuned
from glip.checkpoints.fingerprint import fingerprint
from glip.checkpoints.layouts import PROMPT_KEY
from glip.checkpoints.reader import tuned_metadata
from glip.checkpoints.tuned import TunedWeights, save_tuned, tuned_state
from glip.errors import CheckpointError, PromptError
from glip.registry import MODELS
from glip.text import TextPrompt


def build(seed=0, **changes):
    torch.manual_seed(seed)
    with MODELS.switch_scope_and_registry('glip'):
        return MODELS.build(interrupted_run.TINY | changes).eval()


@pytest.fixture(scope='module')
def model():
    return build()


@pytest.fixture
def prompt_file(model, tmp_path):
    text = TextPrompt.from_classes(['raccoon', 'big_dog'])
    ids = model.language_model.tokenizer.encode(text).input_ids
    rows = torch.arange(len(ids) * 16.0).view(-1, 16)
    path = tmp_path / 'prompt.safetensors'
    mark = fingerprint(model.state_dict(), 'prompt')
    save_tuned(
        TunedWeights('prompt', {PROMPT_KEY: rows}, 'tiny', mark, text, ids), path
    )
    return path


def test_a_prompt_comes_back_as_it_was_and_has_no_more_than_its_rows(
    model, prompt_file
):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tuned = load_prompt(model, prompt_file)
    assert tuned.text == TextPrompt.from_classes(['raccoon', 'big_dog'])
    assert torch.equal(
        tuned.offsets, torch.arange(len(tuned.input_ids) * 16.0).view(-1, 16)
    )
    assert model.tuned_prompt is None
    after = model.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert [*load_file(prompt_file)] == [PROMPT_KEY]
    assert prompt_file.stat().st_size < 4096


@pytest.mark.parametrize('mode', ['linear_probe', 'language'])
def test_other_modes_put_their_parameters_into_the_model(mode, tmp_path):
    start, trained = build(), build()
    with torch.no_grad():
        for name in tuned_state(dict(trained.named_parameters()), mode):
            trained.get_parameter(name).add_(1)
    path = tmp_path / 'tuned.safetensors'
    mark = fingerprint(trained.state_dict(), mode)
    save_tuned(
        TunedWeights(mode, tuned_state(trained.state_dict(), mode), 'tiny', mark), path
    )
    load_tuned(start, path)
    for name, tensor in trained.state_dict().items():
        assert torch.equal(start.state_dict()[name], tensor), name
    with pytest.raises(CheckpointError, match='no prompt'):
        load_prompt(start, path)
    with pytest.raises(CheckpointError, match='weights that the tuning started from'):
        load_tuned(build(seed=1), path)


def test_the_mark_does_not_depend_on_the_layout_of_a_file(model, tmp_path):
    mark = fingerprint(model.state_dict(), 'prompt')
    state = {name: tensor.half() for name, tensor in model.state_dict().items()}
    halved, other = build(seed=1), build(seed=2)
    load_into(halved, state)
    assert fingerprint(state, 'prompt') == fingerprint(halved.state_dict(), 'prompt')
    assert fingerprint(other.state_dict(), 'prompt') != mark
    grown = build(tuning='prompt')
    load_into(grown, model.state_dict())
    assert fingerprint(grown.state_dict(), 'prompt') == mark


def test_a_prompt_of_other_weights_is_refused(prompt_file):
    other = build(seed=1)
    with pytest.raises(CheckpointError, match='tuned for tiny'):
        load_tuned(other, prompt_file)
    assert other.tuned_prompt is None


def test_a_prompt_is_no_checkpoint_and_a_checkpoint_no_prompt(
    model, prompt_file, tmp_path
):
    with pytest.raises(CheckpointError, match='--prompt'):
        load_into(model, prompt_file)
    weights = tmp_path / 'weights.safetensors'
    save_file({'a': torch.zeros(2)}, weights)
    for path in (weights, tmp_path / 'text.txt', tmp_path / 'missing.safetensors'):
        if path.suffix == '.txt':
            path.write_text('words')
        with pytest.raises(CheckpointError):
            load_tuned(model, path)


@pytest.mark.parametrize(
    'change',
    [
        dict(text='{'),
        dict(text='null'),
        dict(text='{"caption": 3}'),
        dict(text='[' * 100_000),
        dict(input_ids='[1, 2]'),
        dict(input_ids='["a"]'),
        dict(input_ids='[Infinity]'),
        dict(tuning='magic'),
    ],
)
def test_damaged_metadata_is_one_clear_error(change, model, prompt_file):
    metadata = tuned_metadata(prompt_file) | change
    save_file(load_file(prompt_file), prompt_file, metadata=metadata)
    with pytest.raises(CheckpointError, match='damaged'):
        load_tuned(model, prompt_file)


def test_values_that_are_no_numbers_are_refused(model, prompt_file):
    rows = load_file(prompt_file)
    rows[PROMPT_KEY][0, 0] = torch.nan
    save_file(rows, prompt_file, metadata=tuned_metadata(prompt_file))
    with pytest.raises(CheckpointError, match='NaN'):
        load_tuned(model, prompt_file)


def test_tokens_of_another_vocabulary_are_refused(model, prompt_file):
    metadata = tuned_metadata(prompt_file)
    ids = json.loads(metadata['input_ids'])
    metadata['input_ids'] = json.dumps([ids[0], ids[1] + 1, *ids[2:]])
    save_file(load_file(prompt_file), prompt_file, metadata=metadata)
    with pytest.raises(CheckpointError, match='vocabulary'):
        load_tuned(model, prompt_file)


def test_a_prompt_is_for_its_words_only(model, prompt_file):
    tuned = load_prompt(model, prompt_file)
    encode = model.language_model.tokenizer.encode
    tuned.require([encode(TextPrompt.from_classes(['Raccoon', 'big dog']))])
    for names in (['raccoon'], ['big dog', 'raccoon']):
        with pytest.raises(PromptError, match='raccoon'):
            tuned.require([encode(TextPrompt.from_classes(names))])
