"""Freed memory stays with the process, unless someone has said otherwise."""

import os
import platform
import subprocess
import sys

import pytest

# Pages that the system had to hand out for a block that was freed just before.
_FAULTS = """
import resource, sys
import torch
from glip.compat.allocator import keep_freed_memory
kept = keep_freed_memory()
for _ in range(3):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.ones(2**24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != 'glibc', reason='the setting is one of glibc'
)


def run(**environment) -> tuple[bool, int]:
    own = {k: v for k, v in os.environ.items() if not k.startswith(('MALLOC', 'GLIBC'))}
    out = subprocess.run(
        [sys.executable, '-c', _FAULTS],
        env=own | dict(OMP_NUM_THREADS='1') | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    kept, faults = out.stdout.split()[-2:]
    return kept == 'True', int(faults)


@glibc
def test_a_block_of_64_mb_is_made_of_the_same_pages_again():
    kept, few = run()
    left, many = run(GLIP_KEEP_MEMORY='0')
    assert kept and not left
    assert few * 2 < many


@glibc
def test_settings_of_the_user_stand():
    assert run(MALLOC_TRIM_THRESHOLD_='131072')[0] is False
