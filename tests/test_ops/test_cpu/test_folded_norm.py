"""Norms folded into what follows, against the maps computed one after the other."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glip.ops import plain_path
from glip.ops.cpu import (
    fold_group_norm,
    folding_applies,
    higher_line,
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
    same, scale, shift, mean = fold_group_norm(x, norm)
    found = x * scale[..., None, None] + shift[..., None, None]
    torch.testing.assert_close(found, norm(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(mean, x.mean((2, 3)))
    assert torch.equal(same, x)


@torch.no_grad()
def test_statistics_do_not_suffer_from_a_large_mean():
    (x,) = maps((20, 30))
    x += 1e4 * torch.arange(12).view(1, 12, 1, 1)
    norm = nn.GroupNorm(12, 12)
    _, scale, *_ = fold_group_norm(x, norm)
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


def by_maps(maps, scales, shift, lines, size):
    wide = [F.interpolate(m, size, mode='bilinear', align_corners=True) for m in maps]
    total = sum(m * s[..., None, None] for m, s in zip(wide, scales, strict=True))
    total = total + shift[..., None, None]
    return torch.maximum(
        *(total * k[..., None, None] + b[..., None, None] for k, b in lines)
    )


@pytest.mark.parametrize(
    'sizes', [((3, 4),), ((40, 60), (40, 60), (20, 31)), ((5, 3), (1, 1))]
)
def test_sum_and_higher_line_forward_and_backward(sizes):
    """In one tile and in several, with and without a map that is resampled."""
    torch.manual_seed(0)

    def draw(*shape):
        return torch.randn(2, 12, *shape, dtype=torch.float64, requires_grad=True)

    maps = [draw(*s) for s in sizes]
    scales, shift = [draw() for _ in sizes], draw()
    lines = [(draw(), draw()), (draw(), draw())]
    everything = [*maps, *scales, shift, *lines[0], *lines[1]]
    found = higher_line(maps, torch.stack(scales), shift, lines, torch.Size(sizes[0]))
    expected = by_maps(maps, scales, shift, lines, sizes[0])
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, expected)
    upstream = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad(found, everything, upstream),
        torch.autograd.grad(expected, everything, upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_gradients_of_a_folded_norm():
    (x,) = (m.double().requires_grad_() for m in maps((9, 7)))
    norm = nn.GroupNorm(3, 12).double()
    nn.init.normal_(norm.weight)
    same, scale, shift, mean = fold_group_norm(x, norm)
    found = (same * scale[..., None, None] + shift[..., None, None]).sin()
    expected = norm(x).sin()
    inputs = [x, norm.weight, norm.bias]
    for one, other in zip(
        torch.autograd.grad((found * same).sum() + mean.square().sum(), inputs),
        torch.autograd.grad(
            (expected * x).sum() + x.mean((2, 3)).square().sum(), inputs
        ),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_applies_where_it_is_faster():
    x = torch.zeros(1)
    assert folding_applies(x)
    assert not folding_applies(x.to('meta'))
    with plain_path():
        assert not folding_applies(x)
