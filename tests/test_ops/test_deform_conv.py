"""Deformable convolution against its definition, torchvision and the recorded one."""

import importlib.util

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from glip.ops import gather_deform_conv2d, modulated_deform_conv2d


def inputs(batch=2, channels=3, height=7, width=6, out=4, stride=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    size = ((height - 1) // stride + 1, (width - 1) // stride + 1)

    def randn(*shape, scale=1.0):
        value = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale
        return value.requires_grad_()

    return (
        randn(batch, channels, height, width),
        randn(batch, 18, *size, scale=2.0),
        torch.rand(
            batch, 9, *size, generator=generator, dtype=torch.float64
        ).requires_grad_(),
        randn(out, channels, 3, 3),
        randn(out),
    )


def by_definition(x, offset, mask, weight, bias, stride):
    """One bilinear read per output position and tap, in plain loops."""
    batch, channels, height, width = x.shape
    out = x.new_zeros(batch, weight.shape[0], *offset.shape[2:])
    for b in range(batch):
        for i in range(offset.shape[2]):
            for j in range(offset.shape[3]):
                for tap in range(9):
                    y = i * stride - 1 + tap // 3 + offset[b, 2 * tap, i, j].item()
                    u = j * stride - 1 + tap % 3 + offset[b, 2 * tap + 1, i, j].item()
                    value = x.new_zeros(channels)
                    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
                        for column in (int(np.floor(u)), int(np.floor(u)) + 1):
                            if 0 <= row < height and 0 <= column < width:
                                near = (1 - abs(y - row)) * (1 - abs(u - column))
                                value = value + near * x[b, :, row, column]
                    value = value * mask[b, tap, i, j]
                    out[b, :, i, j] += weight[:, :, tap // 3, tap % 3] @ value
    return out + bias.view(1, -1, 1, 1)


@pytest.mark.parametrize('stride', [1, 2])
def test_equals_the_definition(stride):
    args = [a.detach() for a in inputs(stride=stride, height=5, width=4)]
    found = gather_deform_conv2d(*args, stride=stride)
    torch.testing.assert_close(found, by_definition(*args, stride))


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('shape', [(1, 1), (1, 9), (33, 40)])
def test_equals_torchvision_forward_and_backward(stride, shape):
    args = inputs(height=shape[0], width=shape[1], stride=stride)
    x, offset, mask, weight, bias = args
    ours = gather_deform_conv2d(*args, stride=stride)
    theirs = deform_conv2d(x, offset, weight, bias, mask=mask, padding=1, stride=stride)
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(ours)
    for one, other in zip(
        torch.autograd.grad(ours, args, upstream),
        torch.autograd.grad(theirs, args, upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_finite_differences():
    args = inputs(batch=1, channels=2, height=4, width=3, out=2)
    assert torch.autograd.gradcheck(gather_deform_conv2d, args)


def test_zero_offsets_are_a_plain_convolution():
    x, offset, mask, weight, bias = (a.detach() for a in inputs())
    found = modulated_deform_conv2d(
        x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias
    )
    torch.testing.assert_close(found, F.conv2d(x, weight, bias, padding=1))


def test_positions_far_outside_read_zero():
    x, offset, mask, weight, bias = (a.detach() for a in inputs())
    found = gather_deform_conv2d(x, offset + 1e9, mask, weight, bias)
    torch.testing.assert_close(found, bias.view(1, -1, 1, 1).expand_as(found))


def test_a_larger_field_is_read_flat():
    x, _, _, weight, bias = (a.detach() for a in inputs(height=4, width=5))
    field = torch.randn(2, 27, 8, 10, dtype=torch.float64)
    offset, mask = field[:, :18], field[:, 18:].sigmoid()
    flat_offset = torch.stack([o.reshape(-1)[: 18 * 20].view(18, 4, 5) for o in offset])
    flat_mask = torch.stack([m.reshape(-1)[: 9 * 20].view(9, 4, 5) for m in mask])
    torch.testing.assert_close(
        modulated_deform_conv2d(x, offset, mask, weight, bias),
        modulated_deform_conv2d(x, flat_offset, flat_mask, weight, bias),
    )


def test_a_smaller_field_is_refused():
    x, offset, mask, weight, bias = inputs()
    with pytest.raises(ValueError, match='smaller than the output'):
        modulated_deform_conv2d(x, offset[..., :2], mask[..., :2], weight, bias)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_computes_in_float32_with_gradients(dtype):
    """Only the rounding of the inputs is lost, and what follows gets float32."""
    full = [a.detach().float() for a in inputs()]
    half = [a.to(dtype).float().requires_grad_() for a in full[:3]]
    weight, bias = (a.clone().requires_grad_() for a in full[3:])
    with torch.autocast('cpu', dtype):
        found = modulated_deform_conv2d(*(a.to(dtype) for a in half), weight, bias)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, gather_deform_conv2d(*half, weight, bias))
    found.square().sum().backward()
    assert all(a.grad.isfinite().all() for a in (*half, weight, bias))


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_models_keep_their_type(dtype):
    args = [a.detach().to(dtype) for a in inputs()]
    found = modulated_deform_conv2d(*args)
    assert found.dtype == dtype
    expected = modulated_deform_conv2d(*(a.float() for a in args))
    torch.testing.assert_close(found, expected.to(dtype))


@pytest.mark.parametrize(
    ('tag', 'shape', 'stride'),
    [
        ('same', (5, 7, 5, 7), 1),
        ('high', (5, 7, 10, 14), 1),
        ('low', (10, 13, 5, 7), 2),
    ],
)
def test_recorded_kernel(shared, tag, shape, stride):
    folder = shared / 'official'
    spec = importlib.util.spec_from_file_location('fill', folder / 'fill.py')
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    height, width, field_height, field_width = shape

    def unit(name, *size):
        return fill.unit(f'op.dcn.{name}', size)

    found = modulated_deform_conv2d(
        unit(f'{tag}.x', 2, 6, height, width).float(),
        (1.5 * unit(f'{tag}.offset', 2, 18, field_height, field_width)).float(),
        unit(f'{tag}.mask', 2, 9, field_height, field_width).sigmoid().float(),
        unit('w', 4, 6, 3, 3).float(),
        unit('b', 4).float(),
        stride=stride,
    )
    expected = torch.from_numpy(np.load(folder / 'ops.npz')[f'dcn.{tag}.out'])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_gpu_equals_cpu(dtype):
    args = [a.detach().float() for a in inputs()]
    expected = modulated_deform_conv2d(*args)
    found = modulated_deform_conv2d(*(a.to('cuda', dtype) for a in args))
    torch.testing.assert_close(
        found.cpu().float(),
        expected,
        atol=1e-4 if dtype is torch.float32 else 5e-2,
        rtol=1e-2,
    )


def test_mixed_precision_keeps_positions_exact():
    """Columns from 256 on are not told apart in bfloat16."""
    args = [t.float() for t in inputs(height=3, width=600)]
    exact = modulated_deform_conv2d(*args)
    with torch.autocast('cpu', torch.bfloat16):
        x = args[0].detach().clone().requires_grad_()
        mixed = modulated_deform_conv2d(x, *args[1:])
        half = modulated_deform_conv2d(x.bfloat16(), *args[1:])
    assert mixed.dtype is half.dtype is torch.float32
    assert torch.equal(mixed, exact)
    assert torch.allclose(half, exact, atol=0.1, rtol=0.1)
    half.sum().backward()
    assert x.grad.isfinite().all()
