"""What all of the functions need: types that kernels know, and gradients."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor


def torchvision_ops() -> Any:
    """``torchvision.ops``, whose import takes long, when it is first needed."""
    return import_module('torchvision.ops')


def computable(tensor: Tensor) -> Tensor:
    """The tensor in a type that torchvision's kernels know on its device.

    They know no bfloat16, and on the CPU no half precision; integers are for boxes.
    """
    known = {torch.float32, torch.float64}
    if tensor.is_cuda:
        known.add(torch.float16)
    return tensor if tensor.dtype in known else tensor.float()


def gradients(
    function: Callable[..., Tensor], inputs: Sequence[Tensor], grad_output: Tensor
) -> tuple[Tensor, ...]:
    """Gradients of a function that is computed again for it.

    Args:
        function: Differentiable in all of its arguments.
        inputs: Its arguments.
        grad_output: Gradient of its result, of the same shape.

    Returns:
        One gradient per input.
    """
    with torch.enable_grad():
        leaves = [tensor.detach().requires_grad_() for tensor in inputs]
        output = function(*leaves)
    return torch.autograd.grad(output, leaves, grad_output.to(output.dtype))
