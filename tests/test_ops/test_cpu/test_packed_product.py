"""Products with a weight that is laid out once."""

import pytest
import torch
import torch.nn.functional as F

from glip.ops import onednn_has_bf16
from glip.ops.cpu.packed_product import packed_product, packing_once


class Packed(torch.overrides.TorchFunctionMode):
    """Counts weights that are laid out."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.mkldnn._reorder_linear_weight
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize('rows', [3, 5000])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.bfloat16])
def test_equals_linear(rows, dtype):
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 5, 8, dtype=torch.float64), torch.randn(24)
    tile = torch.randn(min(rows, 300), 40, dtype=torch.float64)
    product = packed_product(weight.transpose(1, 2), rows, bias, dtype)
    expected = F.linear(tile, weight.transpose(1, 2).flatten(1), bias.double())
    found = product(tile.to(dtype))
    assert found.dtype is dtype
    bound = {torch.float32: 1e-6, torch.float64: 1e-6, torch.bfloat16: 1e-2}[dtype]
    assert (found - expected).norm() / expected.norm() < bound


def test_each_weight_is_laid_out_once_within_and_anew_after():
    tile = torch.randn(4200, 16)
    packed = Packed()
    weights = [torch.randn(8, 16), torch.randn(8, 16)]
    with packed, packing_once():
        for _ in range(3):
            for weight in weights:
                found = packed_product(weight, 4200)(tile)
                torch.testing.assert_close(found, tile @ weight.t())
        small = packed_product(weights[0], 4)(tile[:4])
        torch.testing.assert_close(small, tile[:4] @ weights[0].t())
        for _ in range(3):  # one that is gone must not be taken for another
            weight = torch.randn(8, 16)
            found = packed_product(weight, 4200)(tile)
            torch.testing.assert_close(found, tile @ weight.t())
            del weight
    assert packed.count == 5
    weights[0].data.zero_()
    with packing_once():
        assert not packed_product(weights[0], 4200)(tile).any()
    weights[0].data.fill_(1)
    torch.testing.assert_close(
        packed_product(weights[0], 4200)(tile), tile.sum(1, keepdim=True).expand(-1, 8)
    )


@pytest.mark.parametrize('has_bf16', [True, False])
def test_bfloat16_is_packed_only_where_onednn_multiplies_it(has_bf16, monkeypatch):
    if has_bf16 and not onednn_has_bf16():
        pytest.skip('this CPU has no instructions for bfloat16')
    monkeypatch.setattr('glip.ops.cpu.packed_product.onednn_has_bf16', lambda: has_bf16)
    weight, tile = torch.randn(8, 16), torch.randn(4200, 16).bfloat16()
    with Packed() as packed:
        found = packed_product(weight, 4200, dtype=torch.bfloat16)(tile)
    assert packed.count == has_bf16
    torch.testing.assert_close(found, F.linear(tile, weight.bfloat16()))
