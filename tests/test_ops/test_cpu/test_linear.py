import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glip.ops.cpu import Linear, linear


def grads(function, x, weight, bias):
    inputs = [t.clone().requires_grad_() for t in (x, weight, bias) if t is not None]
    out = function(*inputs)
    torch.manual_seed(1)
    return out, torch.autograd.grad(out, inputs, torch.randn_like(out))


@pytest.mark.parametrize(
    'shape', [(300, 48), (2, 300, 48), (1, 20, 30, 48), (7, 48), (0, 48), (48,)]
)
@pytest.mark.parametrize('with_bias', [True, False])
def test_linear_is_that_of_torch(shape, with_bias):
    torch.manual_seed(0)
    x, weight = torch.randn(shape), torch.randn(40, 48)
    bias = torch.randn(40) if with_bias else None
    out, found = grads(linear, x, weight, bias)
    expected, true = grads(F.linear, x, weight, bias)
    assert out.shape == expected.shape
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(found, true, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_linear_reads_rows_that_are_not_contiguous():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 48, 400).transpose(1, 2), torch.randn(40, 48)
    torch.testing.assert_close(
        linear(x, weight), F.linear(x, weight), rtol=1e-5, atol=1e-5
    )


def test_linear_keeps_other_types_as_torch_has_them():
    torch.manual_seed(0)
    x, weight = torch.randn(300, 48).double(), torch.randn(40, 48).double()
    assert torch.equal(linear(x, weight), F.linear(x, weight))
    with torch.autocast('cpu', torch.bfloat16):
        assert linear(x.float(), weight.float()).dtype is torch.bfloat16


def test_layer_has_names_and_values_of_torch():
    torch.manual_seed(0)
    usual = nn.Linear(48, 40)
    layer = Linear(48, 40)
    layer.load_state_dict(usual.state_dict())
    x = torch.randn(3, 200, 48)
    torch.testing.assert_close(layer(x), usual(x), rtol=1e-5, atol=1e-5)
    assert isinstance(layer, nn.Linear)
