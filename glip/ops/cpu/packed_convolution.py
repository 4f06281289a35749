"""Convolutions of pictures by weights that are laid out for oneDNN once.

torch lays out the weight of a convolution in every call, which with small maps takes a
third of the time.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from glip.ops.cpu.linear import onednn_is_used
from glip.ops.torch_internals import is_recorded, packed_convolution

_Form = Callable[[Tensor, Tensor | None], Tensor]
# Of each convolution the state of its weight, what convolves with it, and the weight,
# whose address so does not become another's. Beside the module, which so can be copied
# and pickled.
_forms: WeakKeyDictionary[nn.Module, tuple[tuple, _Form, Tensor]] = WeakKeyDictionary()


def packing_applies(x: Tensor, weight: Tensor) -> bool:
    """Whether a picture like ``x`` is better convolved with a weight laid out before.

    It is on the CPU, in float32, where no gradient is asked for.
    """
    return (
        x.device.type == 'cpu'
        and x.dtype is weight.dtype is torch.float32
        and not is_recorded()
        and not weight.is_inference()
        and not torch.is_autocast_enabled('cpu')
        and onednn_is_used()
    )


def packed_conv2d(x: Tensor, conv: nn.Conv2d, slope: float | None = None) -> Tensor:
    """What a convolution and a leaky ReLU make of a picture.

    Args:
        x: Shape (B, C, H, W), where :func:`packing_applies`.
        conv: With zero padding. Its weight is laid out again when it has changed, but
            for changes by way of ``.data``, which cannot be seen.
        slope: Of the leaky ReLU; None for none.
    """
    weight = conv.weight
    state = (weight.data_ptr(), weight._version, slope)
    known = _forms.get(conv)
    if known is None or known[0] != state:
        form = packed_convolution(conv, tuple(x.shape), slope)
        _forms[conv] = known = state, form, weight.detach()
    return known[1](x, conv.bias)
