import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glip.ops.cpu import Linear, linear
from glip.ops.cpu.linear import product_per_head
from glip.ops.torch_internals import onednn_linear


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


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('batch', [1, 2])
def test_products_of_heads(batch, dtype):
    torch.manual_seed(0)
    x = torch.randn(batch, 30, 3, 16, dtype=dtype).transpose(1, 2)
    wide = torch.randn(16, 3 * 24, dtype=dtype).unflatten(1, (3, -1)).transpose(0, 1)
    for weights in (wide, wide.contiguous(), wide.mT.contiguous().mT):
        expected = torch.einsum('bhnk,hkm->bhnm', x, weights)
        with torch.no_grad():
            torch.testing.assert_close(product_per_head(x, weights), expected)
        inputs = x.clone().requires_grad_(), weights.clone().requires_grad_()
        upstream = torch.randn_like(expected)
        ours = torch.autograd.grad(product_per_head(*inputs), inputs, upstream)
        theirs = torch.autograd.grad(torch.matmul(*inputs), inputs, upstream)
        torch.testing.assert_close(ours, theirs)


def test_onednn_sees_no_weight_with_gaps(monkeypatch):
    weights = []

    def multiply(rows, weight, *_):
        weights.append(weight)
        return F.linear(rows, weight)

    name = 'glip.ops.torch_internals.packed_linear_operator'
    monkeypatch.setattr(name, lambda: multiply)
    rows, wide = torch.randn(5, 8), torch.randn(8, 64)
    for weight in (wide[:, :8], wide[:, :8].t(), wide[:, ::8], wide.t()):
        torch.testing.assert_close(onednn_linear(rows, weight), rows @ weight.t())
    assert all(w.is_contiguous() or w.t().is_contiguous() for w in weights)
    assert weights[-1].data_ptr() == wide.data_ptr()  # transposed, it needs no copy
