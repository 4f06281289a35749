"""Looking at one picture in the midst of training, without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.utils.data import IterableDataset

from glip.datasets.seeding import drawn_with
from glip.errors import GLIPError

_LOOKED_AT = 16  # samples, until one has boxes


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Let a model predict in the midst of training without a trace.

    It is in evaluation mode within. Afterwards each of its modules is in the mode it
    was in, and random numbers go on as if nothing had been drawn.
    """
    modes = [(module, module.training) for module in model.modules()]
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with drawn_with(0), torch.random.fork_rng(devices):
        model.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode


def first_with_boxes(dataset: Any) -> dict[str, Any] | None:
    """The first sample that has boxes, else the first; None where none is usable."""
    first = None
    for item in _some_of(dataset):
        first = item if first is None else first
        truth = item['data_samples'].get('gt_instances')
        if truth is not None and len(truth):
            return item
    return first


def _some_of(dataset: Any) -> Iterator[dict[str, Any]]:
    """The first samples of a data set that can be read."""
    if isinstance(dataset, IterableDataset):
        yield from islice(dataset, _LOOKED_AT)
        return
    for index in range(min(len(dataset), _LOOKED_AT)):
        try:
            item = dataset[index]
        except GLIPError:  # for validation to say
            continue
        if item is not None:
            yield item
