"""Weights between two checkpoints."""

import pytest
import torch

from glip.checkpoints.interpolation import interpolate
from glip.errors import CheckpointError

START = dict(weight=torch.tensor([1.0, 2.0]), count=torch.tensor(3))
END = dict(weight=torch.tensor([3.0, -2.0], dtype=torch.half), count=torch.tensor(5))


@pytest.mark.parametrize(
    ('share', 'weight'), [(0, [1.0, 2.0]), (0.25, [1.5, 1.0]), (1, [3.0, -2.0])]
)
def test_values_on_the_line(share, weight):
    between = interpolate(START, END, share)
    assert between['weight'].tolist() == weight
    assert between['weight'].dtype == torch.float32
    assert between['count'] == 5


@pytest.mark.parametrize(
    'end', [dict(weight=END['weight']), dict(END, weight=torch.ones(3))]
)
def test_weights_of_two_models_are_refused(end):
    with pytest.raises(CheckpointError, match='differ'):
        interpolate(START, end, 0.5)


@pytest.mark.parametrize('share', [-0.1, 1.1, float('nan')])
def test_a_share_is_from_0_to_1(share):
    with pytest.raises(CheckpointError, match='share'):
        interpolate(START, END, share)
