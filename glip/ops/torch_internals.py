"""Functions that torch does not promise to keep, reached here and nowhere else.

Each has a form of public functions, which is taken where a version of torch lacks it,
and within :func:`public_only`.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_public_only = False


@contextmanager
def public_only() -> Iterator[None]:
    """Within it every function of this module takes its public form, in all threads."""
    global _public_only
    before, _public_only = _public_only, True
    try:
        yield
    finally:
        _public_only = before


def _operator(library: str, name: str) -> Callable | None:
    """An operator of torch, None where it is not to be used."""
    if _public_only:
        return None
    return getattr(getattr(torch.ops, library, None), name, None)


def is_recorded() -> bool:
    """Whether something looks at the operators that are called.

    Gradients, a compiler and counters of operations do. Without, an operator of our own
    can be left out, whose first call takes a second, and each a tenth of a millisecond.
    """
    modes = getattr(torch._C, '_len_torch_dispatch_stack', None)
    return (
        torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or modes is None
        or modes() > 0
    )


def onednn_has_bf16() -> bool:
    """Whether oneDNN multiplies bfloat16 on this CPU; without, torch itself does so.

    Then it takes a hundred times as long as float32.
    """
    supported = _operator('mkldnn', '_is_mkldnn_bf16_supported')
    return supported is not None and bool(supported())


def packed_linear_operator() -> Callable | None:
    """The operator by which :func:`packed_linear` multiplies, for counting it."""
    return _operator('mkldnn', '_linear_pointwise')


def packed_linear(matrix: Tensor) -> Callable[[Tensor, Tensor | None], Tensor]:
    """``F.linear`` with a weight that is laid out once as oneDNN likes it.

    Args:
        matrix: Contiguous weight (N, K) on the CPU, in a type that oneDNN multiplies.

    Returns:
        A function from rows (n, K) and a bias (N,) or None to (n, N).
    """
    reorder = _operator('mkldnn', '_reorder_linear_weight')
    product = packed_linear_operator()
    if reorder is None or product is None:
        return lambda rows, bias: F.linear(rows, matrix, bias)
    packed = reorder(matrix)
    return lambda rows, bias: product(rows, packed, bias, 'none', [], '')


def onednn_linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear`` by oneDNN, without gradients.

    Args:
        rows: Shape (n, K), any strides, on the CPU, in a type that oneDNN multiplies.
        weight: Shape (N, K), any strides.
        bias: Shape (N,) or None.

    Returns:
        Shape (n, N).
    """
    product = packed_linear_operator()
    if product is None:
        return F.linear(rows, weight, bias)
    if not weight.is_contiguous() and not weight.t().is_contiguous():
        # With gaps between its rows, oneDNN takes a thousand times as long.
        weight = weight.contiguous()
    return product(rows, weight, bias, 'none', [], '')


def packed_convolution(
    conv: nn.Conv2d, shape: tuple[int, ...], slope: float | None
) -> Callable[[Tensor, Tensor | None], Tensor]:
    """A convolution whose weight is laid out once as oneDNN likes it.

    Args:
        conv: Float32, on the CPU, with zero padding.
        shape: Of a usual picture, (B, C, H, W); others are taken as well.
        slope: Of a leaky ReLU that follows; None for none.

    Returns:
        A function from pictures and a bias to pictures, which does not hold the module.
    """
    reorder = _operator('mkldnn', '_reorder_convolution_weight')
    convolve = _operator('mkldnn', '_convolution_pointwise')
    weight, geometry = conv.weight.detach(), _geometry(conv)
    if reorder is None or convolve is None:
        padding, stride, dilation, groups = geometry

        def plain(x: Tensor, bias: Tensor | None) -> Tensor:
            x = F.conv2d(x, weight, bias, stride, padding, dilation, groups)
            return x if slope is None else F.leaky_relu_(x, slope)

        return plain
    packed = reorder(weight, *geometry, list(shape))
    after = ('none', [], '') if slope is None else ('leaky_relu', [slope], '')
    return lambda x, bias: convolve(x, packed, bias, *geometry, *after)


def _geometry(conv: nn.Conv2d) -> tuple[list[int], list[int], list[int], int]:
    padding = cast(tuple[int, ...], conv.padding)  # a word elsewhere, not in ours
    return list(padding), list(conv.stride), list(conv.dilation), conv.groups


def softmax_backward(grad: Tensor, probs: Tensor) -> Tensor:
    """Gradient of scores from that of their softmax over the last dimension."""
    backward = _operator('aten', '_softmax_backward_data')
    if backward is None:
        return (grad - (grad * probs).sum(-1, keepdim=True)) * probs
    return backward(grad, probs, -1, probs.dtype)


def bag_weights_backward(grad: Tensor, rows: Tensor, index: Tensor) -> Tensor:
    """Gradient of the weights of an ``embedding_bag`` that sums.

    Args:
        grad: Of the bags, (n, C).
        rows: What bags are gathered from, (N, C).
        index: Rows in each bag, (n, k).

    Returns:
        Inner products, (n, k).
    """
    backward = _operator('aten', '_embedding_bag_per_sample_weights_backward')
    if backward is None:
        return (rows[index] * grad[:, None]).sum(-1)
    count, size = index.shape
    bags = torch.arange(count, dtype=index.dtype, device=index.device)
    starts, owners = bags * size, bags.repeat_interleave(size)
    return backward(grad, rows, index.view(-1), starts, owners, 0).view(count, size)


def layer_norm_backward(
    grad: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of a layer norm of rows.

    Args:
        grad: Of the normed rows, (n, C).
        x: Rows, (n, C).
        mean: Of each row, (n, 1).
        rstd: One over the deviation of each row, (n, 1).
        weight: Scale of the norm, (C,).
        bias: Shift of the norm, (C,).

    Returns:
        Gradients of rows, weight and bias.
    """
    backward = _operator('aten', 'native_layer_norm_backward')
    if backward is not None:
        return backward(grad, x, x.shape[1:], mean, rstd, weight, bias, [True] * 3)
    normed = (x - mean) * rstd
    scaled = grad * weight
    inner = (scaled * normed).mean(1, keepdim=True)
    grad_x = (scaled - scaled.mean(1, keepdim=True) - normed * inner) * rstd
    return grad_x, (grad * normed).sum(0), grad.sum(0)


def gelu_in_place(x: Tensor) -> Tensor:
    """GELU, which may be written over its input."""
    gelu = _operator('aten', 'gelu_')
    return F.gelu(x) if gelu is None else gelu(x)


def gelu_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Gradient of the input of GELU from that of its output."""
    backward = _operator('aten', 'gelu_backward')
    if backward is not None:
        return backward(grad, x)
    share = (1 + torch.erf(x * math.sqrt(0.5))) / 2
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    return grad * (share + x * density)


def channel_moments(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance (C,) of each channel of a picture (C, H, W)."""
    # Batch norm's statistics are these; var_mean is many times slower.
    moments = _operator('aten', 'batch_norm_update_stats')
    if moments is None:
        var, mean = torch.var_mean(picture, (1, 2), correction=0)
        return mean, var
    return moments(picture[None], None, None, 0.0)


def bilinear_backward(grad: Tensor, size: torch.Size) -> Tensor:
    """Gradient of a map that was resampled, bilinear with aligned corners.

    Args:
        grad: Of the resampled map, (B, C, h, w).
        size: Shape of the map, (B, C, H, W).
    """
    backward = _operator('aten', 'upsample_bilinear2d_backward')
    if backward is not None:
        return backward(grad, grad.shape[2:], size, True, None, None)
    with torch.enable_grad():
        x = grad.new_zeros(size, requires_grad=True)
        wide = F.interpolate(x, grad.shape[2:], mode='bilinear', align_corners=True)
        return torch.autograd.grad(wide, x, grad)[0]
