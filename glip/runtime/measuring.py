"""Time and memory of work, on CPUs and GPUs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch


class Timer:
    """Seconds of the work in a ``with`` block.

    A GPU finishes what it was asked for before the clock starts and before it stops.

    Args:
        device: Where the work is done.

    Attributes:
        seconds: Of the block, once it has ended.
    """

    def __init__(self, device: torch.device | str = 'cpu') -> None:
        self._device = torch.device(device)
        self._start = 0.0
        self.seconds = 0.0

    def __enter__(self) -> Timer:
        synchronize(self._device)
        self._start = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        synchronize(self._device)
        self.seconds = time.perf_counter() - self._start


def synchronize(device: torch.device | str) -> None:
    """Let a GPU finish what it was asked for."""
    device = torch.device(device)
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device | str = 'cpu') -> int | None:
    """Most memory used so far, in MiB.

    Args:
        device: A GPU, whose tensors count, or the CPU, where the whole process does.

    Returns:
        None where the system does not count it (Windows).
    """
    device = torch.device(device)
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) // 2**20
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == 'darwin' else 2**10)


def gpu_bytes(action: Callable[[], object]) -> int:
    """Most bytes that an action held on the GPU above what was there before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    action()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before
