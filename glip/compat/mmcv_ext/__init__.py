"""What ``mmcv._ext`` has, in terms of torch and torchvision.

Names and arguments are those of mmcv's C++ functions (mmcv/ops/csrc), which its Python
code calls: most write into tensors that they are given.
"""

from collections.abc import Callable
from typing import NoReturn

from .attention import ms_deform_attn_backward, ms_deform_attn_forward
from .deform_conv import (
    deform_conv_backward_input,
    deform_conv_backward_parameters,
    deform_conv_forward,
    modulated_deform_conv_backward,
    modulated_deform_conv_forward,
)
from .focal_loss import (
    sigmoid_focal_loss_backward,
    sigmoid_focal_loss_forward,
    softmax_focal_loss_backward,
    softmax_focal_loss_forward,
)
from .nms import nms, nms_match, softnms
from .roi import (
    roi_align_backward,
    roi_align_forward,
    roi_pool_backward,
    roi_pool_forward,
)


def get_compiler_version() -> str:
    """What an environment report says in place of the compiler."""
    return 'none (torchvision stands in)'


def get_compiling_cuda_version() -> str:
    """What an environment report says in place of the CUDA version."""
    return 'not available'


FUNCTIONS: dict[str, Callable] = {
    function.__name__: function
    for function in (
        deform_conv_backward_input,
        deform_conv_backward_parameters,
        deform_conv_forward,
        get_compiler_version,
        get_compiling_cuda_version,
        modulated_deform_conv_backward,
        modulated_deform_conv_forward,
        ms_deform_attn_backward,
        ms_deform_attn_forward,
        nms,
        nms_match,
        roi_align_backward,
        roi_align_forward,
        roi_pool_backward,
        roi_pool_forward,
        sigmoid_focal_loss_backward,
        sigmoid_focal_loss_forward,
        softmax_focal_loss_backward,
        softmax_focal_loss_forward,
        softnms,
    )
}


def missing_function(name: str) -> Callable[..., NoReturn]:
    """Stand in for a function that torchvision has nothing for.

    Raises:
        AttributeError: The name is one of Python's own, such as ``__path__``.
    """
    if name.startswith('__'):
        raise AttributeError(f"module 'mmcv._ext' has no attribute {name!r}")

    def missing(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(
            f'mmcv was installed without compiled ops, and torchvision has nothing in '
            f'place of {name!r}: install an mmcv that has its ops compiled to use it'
        )

    missing.__name__ = name
    return missing
