"""Norms folded into what follows, against the maps computed one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glip.ops import (
    add_scaled,
    fold_group_norm,
    folding_applies,
    plain_path,
    resampled_mean,
)


def maps(*sizes, batch=2, channels=12, layout=torch.channels_last):
    torch.manual_seed(0)
    return [
        (torch.randn(batch, channels, *s) * 3 + 5).contiguous(memory_format=layout)
        for s in sizes
    ]


@torch.no_grad()
@pytest.mark.parametrize('layout', [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize('size', [(9, 7), (1, 1), (50, 61)])
def test_scale_and_shift_are_the_group_norm(layout, size):
    (x,) = maps(size, layout=layout)
    norm = nn.GroupNorm(3, 12, eps=1e-3)
    for parameter in norm.parameters():
        nn.init.normal_(parameter)
    scale, shift = fold_group_norm(x, norm)
    found = x * scale[..., None, None] + shift[..., None, None]
    torch.testing.assert_close(found, norm(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_statistics_do_not_suffer_from_a_large_mean():
    (x,) = maps((20, 30))
    x += 1e4 * torch.arange(12).view(1, 12, 1, 1)
    norm = nn.GroupNorm(12, 12)
    scale, _ = fold_group_norm(x, norm)
    exact = (x.double().var((2, 3), correction=0) + norm.eps).rsqrt()
    torch.testing.assert_close(scale.double(), exact, atol=0, rtol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize(
    'sizes', [((13, 7), (25, 13)), ((1, 1), (2, 2)), ((1, 4), (1, 8))]
)
def test_mean_of_the_resampled_without_resampling(sizes):
    (x,) = maps(sizes[0])
    wide = F.interpolate(x, sizes[1], mode='bilinear', align_corners=True)
    torch.testing.assert_close(resampled_mean(x, sizes[1]), wide.mean((2, 3)))
    torch.testing.assert_close(resampled_mean(x, sizes[0]), x.mean((2, 3)))


@torch.no_grad()
@pytest.mark.parametrize('count', [1, 2, 3])
@pytest.mark.parametrize('size', [(3, 4), (40, 60)])
def test_sum_and_higher_line(count, size):
    found = maps(*[size] * count)
    expected = [m.clone() for m in found]
    scales, shift = torch.randn(count, 2, 12), torch.randn(2, 12)
    lines = torch.randn(2, 2, 2, 12)
    wide = [t[..., None, None] for t in (scales, shift, lines)]
    total = sum(m * s for m, s in zip(expected, wide[0], strict=True)) + wide[1]
    higher = torch.maximum(*(total * k + b for k, b in wide[2]))
    out = add_scaled(found, scales, shift, lines)
    assert out is found[-1]
    torch.testing.assert_close(out, higher, atol=1e-4, rtol=1e-5)
    for map, before in zip(found[:-1], expected[:-1], strict=True):
        assert torch.equal(map, before)


def test_applies_without_gradients_only():
    x = torch.zeros(1)
    assert not folding_applies(x)
    with torch.no_grad():
        assert folding_applies(x)
        with plain_path():
            assert not folding_applies(x)
