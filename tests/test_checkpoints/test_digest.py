"""Weights that are not what was written, or no numbers, are refused."""

import random

import pytest
import torch

from glip.checkpoints import load_into, load_state_dict, save_state_dict
from glip.errors import CheckpointError


def flipped(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << place % 8
    path.write_bytes(data)


@pytest.mark.parametrize('name', ['w.pth', 'w.safetensors'])
def test_a_flipped_bit_never_changes_weights(tmp_path, ours, name):
    path = tmp_path / name
    save_state_dict(ours, path)
    size, draw = path.stat().st_size, random.Random(0)
    refused = 0
    places = [*range(0, 600, 7), *range(size - 300, size, 7)]
    places += [draw.randrange(size) for _ in range(60)]
    for place in places:
        save_state_dict(ours, path)
        flipped(path, place)
        try:
            state = load_state_dict(path)
        except CheckpointError as error:
            assert '\n' not in str(error)
            refused += 1
        else:  # padding, or what only names the file
            assert state.keys() == ours.keys()
            assert all(torch.equal(state[key], ours[key]) for key in ours)
    assert refused > 40


def test_files_without_a_digest_load(tmp_path, ours):
    save_file = pytest.importorskip('safetensors.torch').save_file
    plain = {key: tensor.clone().contiguous() for key, tensor in ours.items()}
    save_file(plain, tmp_path / 'w.safetensors')
    assert load_state_dict(tmp_path / 'w.safetensors').keys() == ours.keys()
    torch.save(plain, tmp_path / 'w.pth', _use_new_zipfile_serialization=False)
    assert load_state_dict(tmp_path / 'w.pth').keys() == ours.keys()


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_weights_that_are_no_numbers(tmp_path, value, dtype):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 2)).to(dtype)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state['1.weight'][1, 0] = value
    before = model[1].weight.clone()
    for strict in (True, False):
        with pytest.raises(CheckpointError, match=r'1\.weight'):
            load_into(model, state, strict=strict)
    assert torch.equal(model[1].weight, before)


def test_large_weights_are_numbers():
    model = torch.nn.Linear(4, 4)
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    state['weight'][:] = 3e38  # whose sum is beyond float32
    load_into(model, state)
    assert (model.weight == state['weight']).all()
