"""Keep freed memory for the next picture instead of handing it back to the system.

glibc returns large blocks as soon as they are freed, so each feature map is made of
fresh pages, which the system has to clear one by one: a tenth to a third of the time of
a picture. Its limits can only be changed for the whole process.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform

import torch

SWITCH = 'GLIP_KEEP_MEMORY'
# What a user who knows better has set.
_OWN_SETTINGS = (
    'MALLOC_MMAP_THRESHOLD_',
    'MALLOC_TRIM_THRESHOLD_',
    'MALLOC_MMAP_MAX_',
    'GLIBC_TUNABLES',
    'LD_PRELOAD',
)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_INT = 2**31 - 1
# Older versions of glibc refuse more than half of a heap, 32 MiB.
_MMAP_THRESHOLDS = (2**30, 2**25)


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed; once per process is enough.

    Nothing is done where the environment variable ``GLIP_KEEP_MEMORY`` is 0, where the
    library is another than glibc, and where its limits or another allocator are set by
    environment variables.

    Returns:
        Whether it does.
    """
    if os.environ.get(SWITCH, '1') == '0':
        return False
    if any(os.environ.get(name) for name in _OWN_SETTINGS):
        return False
    if platform.libc_ver()[0] != 'glibc':
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    large = any(mallopt(_M_MMAP_THRESHOLD, size) for size in _MMAP_THRESHOLDS)
    return large and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST_INT))


def release_memory() -> None:
    """Give back what finished work held: objects in circles, and the GPU's cache."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
