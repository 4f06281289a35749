"""Deformable convolution against its definition, torchvision and the recorded one."""

import numpy as np
import official
import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import deform_conv2d

from glip.ops import cpu, plain_path
from glip.ops import modulated_deform_conv2d as reference
from glip.ops.cpu import gather_deform_conv2d

FORMS = pytest.mark.parametrize('form', [reference, cpu.modulated_deform_conv2d])


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


@pytest.mark.parametrize('kernel', [gather_deform_conv2d, reference])
@pytest.mark.parametrize('stride', [1, 2])
def test_taps_outside_do_not_pull(kernel, stride):
    """Of offsets that are 0, as at the start of a training, those of the padding."""
    x, offset, mask, weight, bias = inputs(height=5, width=5, stride=stride)
    offset = torch.zeros_like(offset, requires_grad=True)
    out = kernel(x, offset, mask, weight, bias, stride=stride)
    (grad,) = torch.autograd.grad(out.sum(), offset)
    grad = grad.unflatten(1, (3, 3, 2))
    assert (grad[:, 0, :, :, 0] == 0).all() and (grad[:, :, 0, :, :, 0] == 0).all()
    assert (grad[:, 1, 1] != 0).all()


def test_gradients_are_those_of_finite_differences():
    args = inputs(batch=1, channels=2, height=4, width=3, out=2)
    assert torch.autograd.gradcheck(gather_deform_conv2d, args)


@FORMS
def test_zero_offsets_are_a_plain_convolution(form):
    x, offset, mask, weight, bias = (a.detach() for a in inputs())
    found = form(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(found, F.conv2d(x, weight, bias, padding=1))


def test_positions_far_outside_read_zero():
    x, offset, mask, weight, bias = (a.detach() for a in inputs())
    found = gather_deform_conv2d(x, offset + 1e9, mask, weight, bias)
    torch.testing.assert_close(found, bias.view(1, -1, 1, 1).expand_as(found))


@FORMS
def test_a_larger_field_is_read_flat(form):
    x, _, _, weight, bias = (a.detach() for a in inputs(height=4, width=5))
    field = torch.randn(2, 27, 8, 10, dtype=torch.float64)
    offset, mask = field[:, :18], field[:, 18:].sigmoid()
    flat_offset = torch.stack([o.reshape(-1)[: 18 * 20].view(18, 4, 5) for o in offset])
    flat_mask = torch.stack([m.reshape(-1)[: 9 * 20].view(9, 4, 5) for m in mask])
    torch.testing.assert_close(
        form(x, offset, mask, weight, bias),
        form(x, flat_offset, flat_mask, weight, bias),
    )


@FORMS
def test_a_smaller_field_is_refused(form):
    x, offset, mask, weight, bias = inputs()
    with pytest.raises(ValueError, match='smaller than the output'):
        form(x, offset[..., :2], mask[..., :2], weight, bias)


def both_ways(args, upstream_seed=1, **geometry):
    """Output and gradients of the gather form and of torchvision's."""
    found = []
    for kernel in (
        gather_deform_conv2d,
        lambda x, offset, mask, weight, bias, **kw: deform_conv2d(
            x, offset, weight, bias, mask=mask, **kw
        ),
    ):
        out = kernel(*args, padding=1, **geometry)
        torch.manual_seed(upstream_seed)
        upstream = torch.randn(out.shape).to(out)
        found.append((out, *torch.autograd.grad(out, args, upstream)))
    return found


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('scale', [1, 50])
def test_single_precision_in_several_tiles_equals_torchvision(stride, scale):
    """Enough pixels for weights laid out by oneDNN; far reads cross all tiles."""
    args = inputs(channels=16, height=70, width=60, out=24, stride=stride)
    args = [a.detach().float() for a in args]
    args[1] *= scale
    args = [a.requires_grad_() for a in args]
    for one, other in zip(*both_ways(args, stride=stride), strict=True):
        error = (one - other).abs().max() / other.abs().max()
        assert error < 3e-6 * (1 + 9 * (scale > 1))


@pytest.mark.parametrize('layout', ['channels_last', 'expanded', 'sliced', 'batch 1'])
def test_any_layout_of_the_inputs(layout):
    args = [a.detach() for a in inputs(height=9, width=8)]
    if layout == 'channels_last':
        args[:4] = [a.to(memory_format=torch.channels_last) for a in args[:4]]
    elif layout == 'expanded':
        args[:3] = [a[:1].expand_as(a) for a in args[:3]]
    elif layout == 'sliced':
        args[:3] = [torch.stack((a, -a), -1)[..., 0] for a in args[:3]]
    else:
        args[:3] = [a[:1] for a in args[:3]]
    args = [a.requires_grad_() for a in args]
    found, expected = both_ways(args)
    shape = (len(args[0]), 4, 9, 8)
    expected_strides = torch.empty(shape, memory_format=torch.channels_last).stride()
    assert found[0].stride() == expected_strides
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_a_batch_of_none():
    args = [a.detach().requires_grad_() for a in inputs()]
    x, offset, mask = (a[:0] for a in args[:3])
    found = gather_deform_conv2d(x, offset, mask, *args[3:])
    assert found.shape == (0, 4, 7, 6)
    found.sum().backward()
    assert not args[3].grad.any()


def test_no_number_spoils_only_what_reads_there():
    x, offset, mask, weight, bias = (a.detach() for a in inputs(batch=1))
    exact = gather_deform_conv2d(x, offset, mask, weight, bias)
    offset[0, 4, 2, 3] = float('nan')
    found = gather_deform_conv2d(x, offset, mask, weight, bias)
    assert found[..., 2, 3].isnan().all()
    found[..., 2, 3] = exact[..., 2, 3]
    assert torch.equal(found, exact)


def test_is_one_operation_to_the_compiler():
    """Shapes and layouts that it is told are the true ones, gradients included."""
    args = [a.detach().requires_grad_() for a in inputs(height=4, width=3)]
    torch.library.opcheck(
        torch.ops.glip.gather_deform_conv2d.default,
        (*args, 1, 1),
        test_utils=('test_schema', 'test_faketensor', 'test_aot_dispatch_static'),
    )


def test_the_plain_path_is_the_reference():
    args = [a.detach() for a in inputs()]
    with plain_path():
        found = cpu.modulated_deform_conv2d(*args)
    assert torch.equal(found, reference(*args))


def relative(one, other):
    return ((one - other).norm() / other.norm()).item()


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast_keeps_positions_in_float32_with_gradients(dtype):
    """A map so wide that bfloat16 would not tell its columns apart.

    In bfloat16 columns and weights are rounded as those of any convolution there; in
    float16, which a CPU does not multiply faster, only the inputs are.
    """
    full = [a.detach().float() for a in inputs(height=3, width=600)]
    exact, mixed = ([a.clone().requires_grad_() for a in full] for _ in range(2))
    expected = cpu.modulated_deform_conv2d(*exact)
    with torch.autocast('cpu', dtype):
        found = cpu.modulated_deform_conv2d(*mixed)
        also = cpu.modulated_deform_conv2d(mixed[0].to(dtype), *mixed[1:])
    assert found.dtype is also.dtype is torch.float32
    bound = 6e-3 if dtype is torch.bfloat16 else 1e-3
    assert relative(found, expected) < (bound if dtype is torch.bfloat16 else 1e-6)
    assert relative(also, expected) < bound
    upstream = torch.randn_like(expected)
    expected.backward(upstream)
    found.backward(upstream)
    for one, other in zip(mixed, exact, strict=True):
        assert one.grad.dtype is torch.float32
        assert relative(one.grad, other.grad) < bound


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_half_models_keep_their_type(dtype):
    args = [a.detach().to(dtype).requires_grad_() for a in inputs()]
    found = cpu.modulated_deform_conv2d(*args)
    assert found.dtype == dtype
    expected = cpu.modulated_deform_conv2d(*(a.detach().float() for a in args))
    assert relative(found.float(), expected) < 8e-3
    found.sum().backward()
    assert all(a.grad.dtype == dtype and a.grad.isfinite().all() for a in args)


@FORMS
@pytest.mark.parametrize(
    ('tag', 'shape', 'stride'),
    [
        ('same', (5, 7, 5, 7), 1),
        ('high', (5, 7, 10, 14), 1),
        ('low', (10, 13, 5, 7), 2),
    ],
)
def test_recorded_kernel(form, tag, shape, stride):
    height, width, field_height, field_width = shape

    def unit(name, *size):
        return official.unit(f'dcn.{name}', size)

    found = form(
        unit(f'{tag}.x', 2, 6, height, width).float(),
        (1.5 * unit(f'{tag}.offset', 2, 18, field_height, field_width)).float(),
        unit(f'{tag}.mask', 2, 9, field_height, field_width).sigmoid().float(),
        unit('w', 4, 6, 3, 3).float(),
        unit('b', 4).float(),
        stride=stride,
    )
    expected = torch.from_numpy(official.arrays('ops')[f'dcn.{tag}.out'])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
def test_gpu_equals_cpu(dtype):
    args = [a.detach().float() for a in inputs()]
    expected = cpu.modulated_deform_conv2d(*args)
    found = cpu.modulated_deform_conv2d(*(a.to('cuda', dtype) for a in args))
    torch.testing.assert_close(
        found.cpu().float(),
        expected,
        atol=1e-4 if dtype is torch.float32 else 5e-2,
        rtol=1e-2,
    )
