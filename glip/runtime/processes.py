"""Several processes that do the same: what one decides, and models wrapped for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.model import is_model_wrapper
from torch import nn


def of_first(action: Callable[[], Any]) -> Any:
    """Result of what is done in the first process alone, in all processes.

    Args:
        action: Its result can be pickled. What it raises, the first process raises
            alone.
    """
    values = [action() if is_main_process() else None]
    broadcast_object_list(values)
    return values[0]


def unwrapped(model: Any) -> nn.Module:
    """The model within DDP and the like."""
    while is_model_wrapper(model):
        model = model.module
    return model
