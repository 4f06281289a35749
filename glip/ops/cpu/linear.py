"""Matrix products with a weight, by the faster of the libraries that torch carries."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.ops.plain import is_plain
from glip.ops.torch_internals import onednn_has_bf16, onednn_linear

# With fewer rows, preparing a convolution costs more than it gains.
_LEAST_ROWS = 256


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Affine map of the last dimension, as :func:`torch.nn.functional.linear`.

    On a CPU float32 goes through oneDNN, which torch uses for convolutions but not for
    matrix products: the same sums in another order, and up to 2.3 times faster where
    MKL does not favour the processor. With gradients it is a 1x1 convolution of a
    picture that is one pixel high. Everything else goes the usual way.

    Args:
        x: Shape (..., K).
        weight: Shape (N, K).
        bias: Shape (N,) or None.

    Returns:
        Shape (..., N).
    """
    if not _by_onednn(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        out = onednn_linear(x.reshape(-1, x.shape[-1]), weight, bias)
        return out.view(*x.shape[:-1], -1)
    if x.numel() < _LEAST_ROWS * x.shape[-1]:
        return F.linear(x, weight, bias)
    rows = x.reshape(1, -1, 1, x.shape[-1])
    out = F.conv2d(rows.permute(0, 3, 1, 2), weight[:, :, None, None], bias)
    return out.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)


def product(a: Tensor, b: Tensor) -> Tensor:
    """Product of a matrix (n, K) with a transposed one (m, K), without gradients.

    By oneDNN in float32, and in bfloat16 where the processor has it.
    """
    onednn = a.dtype is torch.float32 or (
        a.dtype is torch.bfloat16 and onednn_has_bf16()
    )
    if onednn and onednn_is_used():
        return onednn_linear(a, b)
    return torch.mm(a, b.t())


def product_per_head(x: Tensor, weights: Tensor) -> Tensor:
    """``x @ weights``, by :func:`product` in float32 without gradients.

    Args:
        x: Shape (B, H, n, K).
        weights: Shape (H, K, m), any strides.

    Returns:
        Shape (B, H, n, m).
    """
    if torch.is_grad_enabled() or not _by_onednn(x, weights):
        return x @ weights
    heads = zip(x.transpose(0, 1).flatten(1, 2), weights, strict=True)
    out = torch.stack([product(rows, weight.t()) for rows, weight in heads])
    return out.unflatten(1, (len(x), -1)).transpose(0, 1)


def _by_onednn(x: Tensor, weight: Tensor) -> bool:
    return (
        onednn_is_used()  # first, as sizes that a compiler reads are compiled anew
        and x.device.type == 'cpu'
        and x.dtype is weight.dtype is torch.float32
        and x.numel() > 0
        and not torch.is_autocast_enabled('cpu')
    )


def onednn_is_used() -> bool:
    """Whether oneDNN is there, and neither it nor fast kernels are switched off."""
    if torch.compiler.is_compiling():  # first, as the rest cannot be traced
        return False
    mkldnn = torch.backends.mkldnn
    return bool(mkldnn.is_available() and mkldnn.enabled and not is_plain())


class Linear(nn.Linear):
    """``torch.nn.Linear`` through :func:`linear`."""

    def forward(self, input: Tensor) -> Tensor:
        """Shape (..., K) to (..., N)."""
        return linear(input, self.weight, self.bias)
