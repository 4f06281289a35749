"""Time and memory of work, on CPUs and GPUs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch


def clock(device: torch.device | str = 'cpu') -> float:
    """Seconds since some moment, once a GPU has done what it was asked for."""
    device = torch.device(device)
    if device.type == 'cuda':
        torch.cuda.synchronize(device)
    return time.perf_counter()


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
