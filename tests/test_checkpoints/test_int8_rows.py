"""Word embeddings in 8 bits look like any others to whoever reads them."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from glip.checkpoints import (
    load_into,
    load_state_dict,
    read_checkpoint,
    save_state_dict,
)
from glip.checkpoints.int8_rows import quantize_embeddings, restore_embeddings
from glip.errors import CheckpointError

TABLE = 'language_model.embeddings.word_embeddings.weight'
OTHER = 'bbox_head.head.log_scale'


@pytest.fixture
def state():
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(50, 16, generator=generator) * torch.logspace(-3, 1, 50)[:, None]
    rows[7] = 0
    return {TABLE: rows, OTHER: torch.tensor([0.5])}


def test_values_move_by_half_a_step_of_their_row(state):
    restored = restore_embeddings(quantize_embeddings(state), 'it')
    assert restored.keys() == state.keys()
    step = state[TABLE].abs().amax(1, keepdim=True) / 127
    assert ((restored[TABLE] - state[TABLE]).abs() <= step / 2 + 1e-9).all()
    assert restored[OTHER] is state[OTHER]


@pytest.mark.parametrize('suffix', ['.safetensors', '.pth'])
def test_every_door_restores(state, tmp_path, suffix):
    path = tmp_path / f'small{suffix}'
    save_state_dict(state, path, half=True, int8_embeddings=True)
    for read in (load_state_dict(path), read_checkpoint(path)['state_dict']):
        assert set(read) == set(state)
        assert read[TABLE].is_floating_point()
        torch.testing.assert_close(read[TABLE], state[TABLE], atol=0.2, rtol=0.01)
    model = nn.ModuleDict(
        dict(
            language_model=nn.ModuleDict(
                dict(
                    embeddings=nn.ModuleDict(dict(word_embeddings=nn.Embedding(50, 16)))
                )
            ),
            bbox_head=nn.ModuleDict(dict(head=_Scaled())),
        )
    )
    load_into(model, path)
    torch.testing.assert_close(
        model.state_dict()[TABLE], state[TABLE], atol=0.2, rtol=0.01
    )


class _Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(1))


def test_the_file_is_small(state, tmp_path):
    path = tmp_path / 'small.safetensors'
    save_state_dict(state, path, half=True, int8_embeddings=True)
    assert load_file(path)[TABLE].dtype == torch.int8


def test_a_scale_without_its_table_is_refused(state):
    stored = quantize_embeddings(state)
    without = {name: t for name, t in stored.items() if name != TABLE}
    floats = dict(stored, **{TABLE: state[TABLE]})
    short = dict(stored, **{f'{TABLE}.int8_scale': torch.ones(3)})
    for broken in (without, floats, short):
        with pytest.raises(CheckpointError, match='int8'):
            restore_embeddings(broken, 'it')
