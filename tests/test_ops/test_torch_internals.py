"""Functions that torch may change equal their public forms."""

import pytest
import torch
import torch.nn.functional as F

from glip.ops import torch_internals as internals
from glip.ops.torch_internals import public_only

ROWS, CHANNELS = 7, 6


def normal(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator)


def layer_norm():
    x, weight, bias = normal(ROWS, CHANNELS), normal(CHANNELS), normal(CHANNELS) + 1
    _, mean, rstd = torch.native_layer_norm(x, (CHANNELS,), weight, bias, 1e-5)
    grad = normal(CHANNELS, ROWS).t()
    return internals.layer_norm_backward(grad, x, mean, rstd, weight, bias)


CALLS = {
    'packed_linear': lambda: internals.packed_linear(normal(5, CHANNELS))(
        normal(ROWS, CHANNELS), normal(5)
    ),
    'packed_linear without bias': lambda: internals.packed_linear(normal(5, CHANNELS))(
        normal(ROWS, CHANNELS), None
    ),
    'softmax_backward': lambda: internals.softmax_backward(
        normal(2, 3, 4), normal(2, 3, 4).softmax(-1)
    ),
    'bag_weights_backward': lambda: internals.bag_weights_backward(
        normal(3, CHANNELS), normal(ROWS, CHANNELS), torch.arange(12).view(3, 4) % ROWS
    ),
    'layer_norm_backward': layer_norm,
    'gelu_in_place': lambda: internals.gelu_in_place(normal(ROWS, CHANNELS)),
    'gelu_backward': lambda: internals.gelu_backward(
        normal(ROWS, CHANNELS), 2 * normal(CHANNELS, ROWS).t()
    ),
    'channel_moments': lambda: internals.channel_moments(normal(3, 4, 5)),
    'bilinear_backward': lambda: internals.bilinear_backward(
        normal(2, 3, 8, 9), torch.Size((2, 3, 4, 5))
    ),
}


@pytest.mark.parametrize('name', CALLS)
def test_public_forms_give_the_same(name):
    with torch.no_grad():  # as in the backward pass
        internal = CALLS[name]()
        with public_only():
            public = CALLS[name]()
    torch.testing.assert_close(public, internal)


def test_forms_of_their_gradients_are_those_of_autograd():
    with public_only(), torch.enable_grad():
        x = normal(ROWS, CHANNELS).requires_grad_()
        grad = normal(CHANNELS, ROWS).t()
        (expected,) = torch.autograd.grad(F.gelu(x), x, grad)
        torch.testing.assert_close(internals.gelu_backward(grad, x), expected)
        probs = x.softmax(-1)
        (expected,) = torch.autograd.grad(probs, x, grad)
        torch.testing.assert_close(internals.softmax_backward(grad, probs), expected)


def test_a_torch_without_them_takes_the_public_forms(monkeypatch):
    monkeypatch.setattr(torch, 'ops', object())
    assert internals.packed_linear_operator() is None
    assert not internals.onednn_has_bf16()
    product = internals.packed_linear(normal(5, CHANNELS))
    assert product(normal(ROWS, CHANNELS), None).shape == (ROWS, 5)


def test_public_only_ends_with_its_region():
    with pytest.raises(KeyError), public_only():
        raise KeyError
    with public_only():
        with public_only():
            pass
        assert internals.packed_linear_operator() is None
    assert internals.packed_linear_operator() is not None
