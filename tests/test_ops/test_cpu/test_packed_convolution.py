"""Convolutions by weights that are laid out once."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glip.ops.cpu.packed_convolution import packed_conv2d, packing_applies
from glip.ops.torch_internals import public_only


def expected(conv, x, slope):
    out = conv(x)
    return out if slope is None else F.leaky_relu(out, slope)


@torch.no_grad()
@pytest.mark.parametrize('public', [False, True])
@pytest.mark.parametrize('slope', [None, 0.1])
@pytest.mark.parametrize(
    'fields', [dict(), dict(stride=2, padding=1), dict(bias=False, groups=2)], ids=str
)
def test_equals_the_convolution_for_any_size(fields, slope, public):
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 8, 3, **fields)
    for size in ((2, 6, 9, 11), (1, 6, 30, 5)):
        x = torch.randn(size).contiguous(memory_format=torch.channels_last)
        assert packing_applies(x, conv.weight)
        if public:
            with public_only():
                out = packed_conv2d(x, conv, slope)
        else:
            out = packed_conv2d(x, conv, slope)
        torch.testing.assert_close(out, expected(conv, x, slope))


@torch.no_grad()
def test_follows_changes_of_weight_and_bias():
    conv = nn.Conv2d(3, 4, 3)
    x = torch.randn(1, 3, 8, 8)
    packed_conv2d(x, conv)
    conv.weight.mul_(2)
    conv.bias.add_(1)
    torch.testing.assert_close(packed_conv2d(x, conv), conv(x))
    conv.load_state_dict(nn.Conv2d(3, 4, 3).state_dict(), assign=True)
    torch.testing.assert_close(packed_conv2d(x, conv), conv(x))
    other = copy.deepcopy(conv)
    other.weight.zero_()
    torch.testing.assert_close(packed_conv2d(x, other), other(x))
    torch.testing.assert_close(packed_conv2d(x, conv), conv(x))


def test_applies_where_nothing_is_recorded():
    weight = nn.Parameter(torch.randn(4, 3, 3, 3))
    x = torch.randn(1, 3, 8, 8)
    assert not packing_applies(x, weight)  # gradients
    with torch.no_grad():
        assert packing_applies(x, weight)
        assert not packing_applies(x.double(), weight.double())
        with torch.autocast('cpu', torch.bfloat16):
            assert not packing_applies(x, weight)
