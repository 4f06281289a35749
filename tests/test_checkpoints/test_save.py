"""Weight files are written whole or not at all."""

import pytest
import torch

from glip.checkpoints import load_state_dict, save_state_dict
from glip.errors import CheckpointError


@pytest.mark.parametrize('name', ['w.pth', 'deep/er/w.safetensors'])
def test_round_trip_over_an_existing_file(tmp_path, ours, name):
    path = tmp_path / name
    save_state_dict({'bbox_head.old': torch.zeros(1)}, path)
    save_state_dict(ours, path)
    state = load_state_dict(path)
    assert state.keys() == ours.keys()
    assert all(torch.equal(state[name], ours[name]) for name in ours)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_tensors_that_share_memory(tmp_path):
    base = torch.arange(6.0).view(2, 3)
    state = {'bbox_head.a': base, 'bbox_head.b': base.T, 'neck.c': base}
    save_state_dict(state, tmp_path / 'w.safetensors')
    read = load_state_dict(tmp_path / 'w.safetensors')
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_half_precision(tmp_path, ours):
    save_state_dict(ours, tmp_path / 'w.safetensors', half=True)
    read = load_state_dict(tmp_path / 'w.safetensors')
    for name, tensor in ours.items():
        expected = torch.float16 if tensor.is_floating_point() else tensor.dtype
        assert read[name].dtype == expected


def test_a_failure_leaves_the_old_file(tmp_path, ours, monkeypatch):
    path = tmp_path / 'w.pth'
    save_state_dict(ours, path)
    before = path.read_bytes()

    def fail(content, target):
        target.write_bytes(b'half of it')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(CheckpointError, match='No space left'):
        save_state_dict(ours, path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('name', ['w.safetensors', 'w.pth'])
def test_others_may_read_what_is_written(tmp_path, name):
    (tmp_path / 'plain').write_bytes(b'')
    save_state_dict({'a': torch.zeros(1)}, tmp_path / name)
    expected = (tmp_path / 'plain').stat().st_mode
    assert (tmp_path / name).stat().st_mode == expected
