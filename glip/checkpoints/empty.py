"""Models that are built to be filled from a file at once."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_DRAWING = frozenset(
    {
        nn.init.kaiming_normal_,
        nn.init.kaiming_uniform_,
        nn.init.normal_,
        nn.init.orthogonal_,
        nn.init.trunc_normal_,
        nn.init.uniform_,
        nn.init.xavier_normal_,
        nn.init.xavier_uniform_,
        Tensor.normal_,
        Tensor.uniform_,
        torch.nn.init._no_grad_normal_,
        torch.nn.init._no_grad_uniform_,
        torch.nn.init._no_grad_trunc_normal_,
    }
)


class Undrawn(TorchFunctionMode):
    """Within it, in this thread, weights are not drawn, but are what memory holds.

    To be used where a checkpoint gives all of them: a model of a billion bytes is built
    in no time then, and takes memory only when it gets its weights.
    """

    def __torch_function__(
        self, func: Callable, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Leave out what draws in place."""
        kwargs = kwargs or {}
        if func in _DRAWING:
            return args[0] if args else kwargs['tensor']
        return func(*args, **kwargs)
