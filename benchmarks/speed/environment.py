"""The machine, its versions, and two settings that make CPUs faster for everyone."""

import ctypes
import os
import platform
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import torch
import torch.nn.functional as F

from glip.runtime.allocator import keep_freed_memory

from .timing import seconds

SETTINGS = ('default', 'tuned')
_PACKAGES = ('torch', 'torchvision', 'transformers', 'onedl-mmdetection')
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX = -1, -3, -4


def apply_settings(name: str) -> None:
    """Set allocator and matrix products of this process, for both sides.

    ``tuned`` keeps freed memory instead of giving it back, whose new pages are slow,
    and sends float32 products to oneDNN, which is faster than MKL on AMD. The switch of
    the latter also allows bfloat16 inside, which CPUs with AMX use:
    :func:`matmul_error` tells.

    Args:
        name: ``default`` or ``tuned``.
    """
    if name == 'tuned':
        libc = ctypes.CDLL(None)
        if hasattr(libc, 'mallopt'):  # glibc
            libc.mallopt(_M_MMAP_MAX, 0)
            libc.mallopt(_M_TRIM_THRESHOLD, -1)
        torch.backends.mkldnn.matmul.fp32_precision = 'bf16'


def allocator_of_users(*, ours: bool) -> None:
    """Change to the allocator that users of a side have.

    ``glip.load`` and our runner have the C library keep freed memory. Of what it does
    by itself, the limits that it adapts stay where large maps drive them: at 32 and
    64 MiB.

    Args:
        ours: Whose users.
    """
    if ours:
        keep_freed_memory()
        return
    if platform.libc_ver()[0] != 'glibc':
        return  # nothing has been changed
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
    libc.mallopt(_M_TRIM_THRESHOLD, 64 << 20)
    libc.malloc_trim(0)


def matmul_error() -> float:
    """Largest error of a float32 product, relative to the largest entry."""
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(512, 512, generator=generator) for _ in range(2))
    exact = one.double() @ other.double()
    return float((F.linear(one, other.t()) - exact).abs().max() / exact.abs().max())


def gemm_rate(device: str = 'cpu', dtype: torch.dtype = torch.float32) -> float:
    """The best GFLOP/s of a large matrix product or 1x1 convolution, now."""
    side = 1024 if device == 'cpu' else 8192
    x = torch.randn(1, side, side, 4, device=device, dtype=dtype)
    weight = torch.randn(side, side, device=device, dtype=dtype)
    rows = x.reshape(-1, side)
    products = (
        lambda: F.conv2d(x, weight[..., None, None]),
        lambda: F.linear(rows, weight),
    )
    with torch.no_grad():
        least = min(seconds(product, device) for product in products * 5)
    return 2 * rows.numel() * side / least / 1e9


def describe(device: str = 'cpu') -> dict[str, str | int | float]:
    """What a table has to say about where it comes from."""
    return dict(
        machine=machine(device),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        commit=_commit(),
        date=time.strftime('%Y-%m-%d'),
        gemm=round(gemm_rate(device)),
        matmul_error=matmul_error(),
        **{package: version(package) for package in _PACKAGES},
    )


def machine(device: str) -> str:
    """Name of the GPU, or of the CPU with the cores that the process may use."""
    if device == 'cuda':
        return torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    listed = Path('/proc/cpuinfo')
    if listed.is_file():
        lines = listed.read_text().splitlines()
        names = [line for line in lines if line.startswith('model name')]
        name = names[0].partition(':')[2].strip() if names else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 0
    return f'{name}, {cores or os.cpu_count()} cores'


def _commit() -> str:
    folder = Path(__file__).parent
    command = ('git', 'describe', '--always', '--dirty', '--exclude', '*')
    described = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    return described.stdout.strip() or 'unknown'
