"""Blocks in tiles against the plain ones: values, gradients, chance, saved memory."""

import copy

import pytest
import torch
from torch import Tensor, nn

from glip.models.backbones.swin_blocks import SwinBlock
from glip.models.cpu import use_cpu_kernels
from glip.ops import plain_path, windows
from glip.ops.cpu import tiles
from glip.ops.cpu.window_tiles import window_tiles
from glip.ops.windows import shift_mask

TOLERANCE = {
    torch.float64: dict(rtol=1e-10, atol=1e-10),
    torch.float32: dict(rtol=2e-4, atol=2e-5),
}


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Several tiles per map, of which the last is smaller."""
    monkeypatch.setattr('glip.ops.cpu.window_tiles.TILE_ROWS', 200)
    monkeypatch.setattr('glip.ops.cpu.feed_forward.TILE_ROWS', 100)
    window_tiles.cache_clear()
    yield
    window_tiles.cache_clear()


def block(window: int, shift: int, dtype: torch.dtype, **more) -> nn.Module:
    torch.manual_seed(0)
    more = dict(drop=0.0, attn_drop=0.0, drop_path=0.0, qkv_bias=True) | more
    made = SwinBlock(
        dims=16,
        num_heads=2,
        window=window,
        shift=shift,
        mlp_ratio=4,
        scale=None,
        **more,
    )
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.3)
    return use_cpu_kernels(made).to(dtype)


def forward_and_backward(made: nn.Module, x: Tensor) -> list[Tensor]:
    """The result, and gradients of the input and all parameters."""
    x = x.clone().requires_grad_()
    torch.manual_seed(1)
    out = made(x)
    torch.manual_seed(2)
    return [
        out,
        *torch.autograd.grad(out, [x, *made.parameters()], torch.randn_like(out)),
    ]


@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize(
    ('window', 'shift', 'size'),
    [
        (7, 0, (2, 21, 28)),
        (7, 3, (2, 20, 31)),
        (7, 3, (1, 3, 40)),
        (12, 6, (1, 25, 24)),
        (12, 0, (3, 13, 7)),
        (4, 2, (1, 1, 1)),
    ],
)
def test_equals_the_plain_block(window, shift, size, dtype):
    made = block(window, shift, dtype)
    x = torch.randn(*size, 16, dtype=dtype)
    assert tiles.works_in_tiles(x)
    found = forward_and_backward(made, x)
    with plain_path():
        expected = forward_and_backward(made, x)
    with torch.no_grad():
        kept = x.clone()
        assert torch.equal(made(x), found[0])
        assert torch.equal(x, kept)  # nothing is written over the input
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE[dtype])


@pytest.mark.parametrize('with_cp', [False, True])
def test_stochastic_depth_draws_and_scales_the_same(with_cp):
    made = block(7, 3, torch.float64, drop_path=0.6, with_cp=with_cp).train()
    x = torch.randn(6, 10, 9, 16, dtype=torch.float64)
    found = forward_and_backward(made, x)
    with plain_path():
        expected = forward_and_backward(made, x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE[torch.float64])
    out = found[0]
    torch.manual_seed(1)
    attended, fed = (made.drop_path(torch.ones(6, 1)).flatten() for _ in range(2))
    dropped = (attended == 0) & (fed == 0)
    assert dropped.any() and not dropped.all()
    assert torch.equal(out[dropped], x[dropped])


def test_where_all_is_dropped_gradients_are_zero():
    made = block(7, 0, torch.float32, drop_path=1.0).train()
    x = torch.randn(2, 8, 8, 16)
    out, grad, *of_weights = forward_and_backward(made, x)
    assert torch.equal(out, x)
    torch.manual_seed(2)
    assert torch.equal(grad, torch.randn_like(x))
    assert all(not one.any() for one in of_weights)


def test_without_bias_and_with_a_gradient_of_no_order_in_memory():
    made = block(7, 3, torch.float64, qkv_bias=False)
    assert made.attn.w_msa.qkv.bias is None
    x = torch.randn(1, 9, 12, 16, dtype=torch.float64)

    def grads():
        leaf = x.clone().requires_grad_()
        made(leaf).permute(0, 3, 1, 2).cumsum(1).square().sum().backward()
        return [leaf.grad] + [p.grad.clone() for p in made.parameters()]

    found = grads()
    made.zero_grad()
    with plain_path():
        expected = grads()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_dropout_is_left_to_the_plain_block():
    made = block(7, 3, torch.float32, drop=0.3, attn_drop=0.3).train()
    x = torch.randn(1, 14, 14, 16)
    found = forward_and_backward(made, x)
    with plain_path():
        expected = forward_and_backward(made, x)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE[torch.float32])
    with torch.no_grad():
        assert not torch.equal(made(x), made(x))
        made.eval()
        assert torch.equal(made(x), made(x))


def saved(made: nn.Module, x: Tensor) -> int:
    """Bytes kept for the backward pass, weights aside."""
    weights = {p.data_ptr() for p in made.parameters()}
    kept = {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = made(x.requires_grad_())
    assert out.requires_grad
    return sum(kept.values())


def test_keeps_two_products_or_with_cp_only_inputs():
    x = torch.randn(1, 70, 70, 16)
    whole = x.numel() * 4
    small = 3 * 2 * 49 * 49 * 4  # the position bias, and its index
    tiled = saved(block(7, 3, torch.float32), x)
    assert (2 + 3 + 4) * whole <= tiled <= (2 + 3 + 4) * whole + small
    least = saved(block(7, 3, torch.float32, with_cp=True).train(), x)
    assert 2 * whole <= least <= 2 * whole + small
    with plain_path():
        assert saved(block(7, 3, torch.float32), x) > 1.5 * tiled


def test_frozen_weights_let_gradients_through():
    made = block(7, 3, torch.float32)
    x = torch.randn(1, 9, 9, 16)
    expected = forward_and_backward(made, x)[1]
    made.requires_grad_(False)
    leaf = x.clone().requires_grad_()
    torch.manual_seed(1)
    out = made(leaf)
    torch.manual_seed(2)
    out.backward(torch.randn_like(out))
    torch.testing.assert_close(leaf.grad, expected)
    assert not made(x).requires_grad


def test_half_precision_is_for_inference_and_keeps_sums_in_full():
    made = block(7, 3, torch.float32).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    x = torch.randn(2, 15, 15, 16)
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        assert tiles.works_in_tiles(x)
        found = made(x)
        with plain_path():
            plain = made(x)
    with torch.no_grad():
        exact = made(x)
    assert found.dtype is torch.float32
    error = (found - exact).abs().max()
    assert 0 < error < 0.05
    assert error < 2 * (plain - exact).abs().max()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        # What a convolution hands on is of half precision; it goes on in float32.
        assert tiles.works_in_tiles(x.bfloat16())
        rounded = made(x.bfloat16())
        assert torch.equal(rounded, made(x.bfloat16().float()))
    assert rounded.dtype is torch.float32
    assert not tiles.works_in_tiles(x.bfloat16())
    with torch.autocast('cpu', torch.bfloat16):
        assert not tiles.works_in_tiles(x)


def test_half_precision_where_positions_attend_to_few():
    made = block(7, 3, torch.float32).eval()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    # Scores far apart, so that their scale and what is added to them decide.
    nn.init.normal_(made.attn.w_msa.qkv.weight, std=1.0)
    nn.init.ones_(made.norm1.weight)
    x = torch.randn(2, 15, 15, 16)
    with torch.no_grad():
        exact = made(x)
        with torch.autocast('cpu', torch.bfloat16):
            rounded = made(x)
    assert (rounded - exact).abs().mean() < 0.02 * (exact - x).abs().mean()


def test_windows_hold_every_pixel_once():
    for height, width, window, shift in [(21, 28, 7, 0), (20, 31, 7, 3), (1, 5, 4, 2)]:
        found = window_tiles(height, width, window, shift)
        rows = torch.cat([tile.rows for tile in found])
        assert torch.equal(rows.sort().values, torch.arange(height * width))
        for tile in found:
            padding = 0 if tile.padding is None else len(tile.padding)
            assert (len(tile.rows) + padding) % window**2 == 0
            assert len(tile.inside) == len(tile.rows)


def test_patterns_of_tiles_are_those_of_the_whole_map():
    patterns, found = windows.shift_patterns(7, 3), []
    for tile in window_tiles(20, 31, 7, 3):
        positions = len(tile.rows) + len(
            tile.padding if tile.padding is not None else ()
        )
        pattern = tile.pattern
        if pattern is None:
            pattern = torch.zeros(positions // 49, dtype=torch.long)
        found.append(patterns[pattern])
    assert len(found) > 2
    whole = shift_mask(3, 5, 7, 3, torch.device('cpu'))
    assert torch.equal(torch.cat(found), whole)


def test_tables_made_in_inference_mode_serve_training():
    window_tiles.cache_clear()
    windows.shift_patterns.cache_clear()
    made = block(7, 3, torch.float32)
    x = torch.randn(1, 16, 16, 16)
    with torch.inference_mode():
        first = made(x)
    found = forward_and_backward(copy.deepcopy(made), x)
    assert torch.equal(found[0], first)
