"""Deformable convolutions against a plain loop and the original's results."""

import math

import official
import pytest
import torch
from mmcv.ops import (
    DeformConv2d,
    DeformConv2dPack,
    ModulatedDeformConv2d,
    ModulatedDeformConv2dPack,
    deform_conv2d,
    modulated_deform_conv2d,
)


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _at(plane, y, x):
    """Bilinear value of a map (H, W), zero outside of it."""
    height, width = plane.shape
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < height and 0 <= column < width:
                near = (1 - abs(y - row)) * (1 - abs(x - column))
                total += near * float(plane[row, column])
    return total


def _reference(
    x, offset, mask, weight, bias, stride=1, pad=0, dilation=1, groups=1, parts=1
):
    """Deformable convolution, one product at a time.

    Offsets and mask are read as flat memory with the strides of the output.
    """
    batch, channels, height, width = x.shape
    outputs, per_group, kernel, _ = weight.shape
    rows = (height + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    columns = (width + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
    taps = kernel * kernel
    out = torch.zeros(batch, outputs, rows, columns, dtype=x.dtype)
    for b in range(batch):
        flat = offset[b].flatten().tolist()
        factor = mask[b].flatten().tolist() if mask is not None else None
        for row in range(rows):
            for column in range(columns):
                place = row * columns + column
                for channel in range(channels):
                    part = channel // (channels // parts)
                    for tap in range(taps):
                        index = part * taps + tap
                        dy = flat[2 * index * rows * columns + place]
                        dx = flat[(2 * index + 1) * rows * columns + place]
                        y = row * stride - pad + tap // kernel * dilation + dy
                        z = column * stride - pad + tap % kernel * dilation + dx
                        value = _at(x[b, channel], y, z)
                        if factor is not None:
                            value *= factor[index * rows * columns + place]
                        group = channel // (channels // groups)
                        members = range(
                            group * outputs // groups, (group + 1) * outputs // groups
                        )
                        for o in members:
                            tap_weight = weight[
                                o, channel % per_group, tap // kernel, tap % kernel
                            ]
                            out[b, o, row, column] += value * float(tap_weight)
    return out if bias is None else out + bias[:, None, None]


_GEOMETRIES = [
    {'stride': 1, 'pad': 1},
    {'stride': 2, 'pad': 1},
    {'stride': 1, 'pad': 2, 'dilation': 2},
    {'stride': 1, 'pad': 1, 'groups': 2},
    {'stride': 1, 'pad': 1, 'parts': 2},
]


def _arguments(stride=1, pad=0, dilation=1, groups=1, parts=1):
    return stride, pad, dilation, groups, parts


def _inputs(stride, pad, dilation=1, groups=1, parts=1):
    x = _random(2, 4, 5, 4)
    rows = (5 + 2 * pad - 2 * dilation - 1) // stride + 1
    columns = (4 + 2 * pad - 2 * dilation - 1) // stride + 1
    offset = 1.5 * _random(2, parts * 18, rows, columns, seed=1)
    mask = _random(2, parts * 9, rows, columns, seed=2).sigmoid()
    weight = _random(2, 4 // groups, 3, 3, seed=3)
    return x, offset, mask, weight, _random(2, seed=4)


@pytest.mark.parametrize('geometry', _GEOMETRIES)
def test_modulated(geometry):
    inputs = _inputs(**geometry)
    found = modulated_deform_conv2d(*inputs, *_arguments(**geometry))
    torch.testing.assert_close(found, _reference(*inputs, **geometry))


@pytest.mark.parametrize('geometry', _GEOMETRIES)
def test_plain(geometry):
    x, offset, _, weight, _ = _inputs(**geometry)
    found = deform_conv2d(x, offset, weight, *_arguments(**geometry))
    torch.testing.assert_close(
        found, _reference(x, offset, None, weight, None, **geometry)
    )


@pytest.mark.parametrize('larger', [False, True])
@pytest.mark.parametrize('with_bias', [False, True])
def test_gradients_of_modulated(larger, with_bias):
    x, weight, bias = _random(2, 2, 4, 3), _random(2, 2, 3, 3), _random(2)
    size = (6, 5) if larger else (4, 3)
    offset = _random(2, 18, *size, seed=1)
    mask = _random(2, 9, *size, seed=2).sigmoid()
    inputs = [x, offset, mask, weight, *([bias] if with_bias else [])]
    inputs = [tensor.requires_grad_() for tensor in inputs]

    def convolve(x, offset, mask, weight, bias=None):
        return modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1)

    assert torch.autograd.gradcheck(convolve, inputs)


def test_gradients_of_plain():
    x, weight = _random(2, 2, 4, 3), _random(2, 2, 3, 3)
    inputs = [x, _random(2, 18, 4, 3, seed=1), weight]
    inputs = [tensor.requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(
        lambda x, offset, weight: deform_conv2d(x, offset, weight, 1, 1), inputs
    )


@pytest.mark.parametrize('modulated', [True, False])
def test_no_gradient_of_offsets_outside(modulated):
    """As in mmcv's kernel, which asks for -1 < y < H and -1 < x < W.

    Of a map that rises by 2 downwards and by 3 to the right.
    """
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing='ij')
    x = (1 + 2 * rows + 3 * columns).double()[None, None]
    weight = torch.ones(1, 1, 1, 1).double()
    cases = {  # (y, x) that the output at (0, 0) reads -> gradient of (dy, dx)
        (1, 1): (2, 3),
        (-1, 1): (0, 0),
        (-0.5, 1): (4, 1.5),  # half of the first row, 4 at x = 1
        (1, -1): (0, 0),
        (3, 1): (-10, 3),  # from the last row to nothing
        (4, 1): (0, 0),
        (1, 5): (0, 0),
        (-1, -1): (0, 0),
    }
    for (y, at_x), expected in cases.items():
        offset = torch.zeros(1, 2, 4, 5).double()
        offset[0, :, 0, 0] = torch.tensor([y, at_x])
        offset.requires_grad_()
        if modulated:
            mask = torch.ones(1, 1, 4, 5).double()
            out = modulated_deform_conv2d(x, offset, mask, weight, None)
        else:
            out = deform_conv2d(x, offset, weight)
        out[0, 0, 0, 0].backward()
        found = tuple(offset.grad[0, :, 0, 0].tolist())
        assert found == pytest.approx(expected), (y, at_x)


def test_larger_offsets_are_read_flat():
    """What DyHead relies on: offsets of the next finer level."""
    x, weight, bias = _random(2, 2, 3, 4), _random(2, 2, 3, 3), _random(2)
    offset = 1.5 * _random(2, 18, 5, 7, seed=1)
    mask = _random(2, 9, 5, 7, seed=2).sigmoid()
    found = modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1)
    torch.testing.assert_close(
        found, _reference(x, offset, mask, weight, bias, stride=1, pad=1)
    )


def test_smaller_offsets_are_an_error():
    x, weight = _random(1, 2, 5, 5), _random(2, 2, 3, 3)
    offset, mask = _random(1, 18, 3, 3), _random(1, 9, 3, 3)
    with pytest.raises(ValueError, match='smaller than the output map 5x5'):
        modulated_deform_conv2d(x, offset, mask, weight, None, 1, 1)


@pytest.mark.parametrize(
    ('tag', 'size', 'field', 'stride'),
    [
        ('same', (5, 7), (5, 7), 1),
        ('high', (5, 7), (10, 14), 1),
        ('low', (10, 13), (5, 7), 2),
    ],
)
def test_results_of_the_original(tag, size, field, stride):
    x = official.unit(f'dcn.{tag}.x', (2, 6, *size)).float()
    offset = (1.5 * official.unit(f'dcn.{tag}.offset', (2, 18, *field))).float()
    mask = official.unit(f'dcn.{tag}.mask', (2, 9, *field)).float().sigmoid()
    weight = official.unit('dcn.w', (4, 6, 3, 3)).float()
    bias = official.unit('dcn.b', (4,)).float()
    found = modulated_deform_conv2d(x, offset, mask, weight, bias, stride, 1)
    expected = torch.from_numpy(official.arrays('ops')[f'dcn.{tag}.out'])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_half_precision():
    x, offset, mask, weight, bias = _inputs(stride=1, pad=1)
    exact = modulated_deform_conv2d(x, offset, mask, weight, bias, 1, 1)
    half = [tensor.bfloat16() for tensor in (x, offset, mask, weight, bias)]
    found = modulated_deform_conv2d(*half, 1, 1)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, atol=0.5, rtol=0.1)


def test_modules_keep_their_state_dicts():
    assert set(DeformConv2d(2, 2, 3).state_dict()) == {'weight'}
    assert set(ModulatedDeformConv2d(2, 2, 3).state_dict()) == {'weight', 'bias'}
    own = {'weight', 'conv_offset.weight', 'conv_offset.bias'}
    assert set(DeformConv2dPack(2, 2, 3).state_dict()) == own
    assert set(ModulatedDeformConv2dPack(2, 2, 3).state_dict()) == own | {'bias'}


@pytest.mark.parametrize('pack', [DeformConv2dPack, ModulatedDeformConv2dPack])
def test_new_packs_are_plain_convolutions(pack):
    module = pack(3, 4, 3, padding=1).double()
    x = _random(2, 3, 5, 6)
    plain = torch.nn.functional.conv2d(x, module.weight, padding=1)
    if pack is ModulatedDeformConv2dPack:
        plain = plain / 2  # its mask starts as sigmoid(0)
    torch.testing.assert_close(module(x), plain)
    module(x).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
