"""Freed memory stays with the process where glibc lets it, and nowhere else."""

import os
import platform
import subprocess
import sys

import pytest

from glip.runtime import allocator
from glip.runtime.allocator import keep_freed_memory

GLIBC = platform.libc_ver()[0] == 'glibc'


class Library:
    """A C library that notes what it is told."""

    def __init__(self, largest: int = 2**40) -> None:
        self.largest, self.told = largest, []

    def mallopt(self, key: int, value: int) -> int:
        self.told.append((key, value))
        return int(value <= self.largest)


@pytest.fixture
def library(monkeypatch):
    """The stand-in, in a process whose user has set nothing."""
    made = Library()
    monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda _: made)
    monkeypatch.setattr(allocator.platform, 'libc_ver', lambda: ('glibc', '2.36'))
    for name in (allocator.SWITCH, *allocator._OWN_SETTINGS):
        monkeypatch.delenv(name, raising=False)
    return made


def test_both_limits_are_raised(library):
    assert keep_freed_memory()
    assert library.told == [(-3, 2**30), (-1, 2**31 - 1)]


def test_an_old_library_gets_what_it_takes(library):
    library.largest = 2**31 - 1
    original = library.mallopt
    library.mallopt = lambda k, v: 0 if (k, v) == (-3, 2**30) else original(k, v)
    assert keep_freed_memory()
    assert library.told == [(-3, 2**25), (-1, 2**31 - 1)]


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('GLIP_KEEP_MEMORY', '0'),
        ('MALLOC_TRIM_THRESHOLD_', '131072'),
        ('LD_PRELOAD', '/usr/lib/libjemalloc.so.2'),
    ],
)
def test_the_users_own_settings_stand(name, value, library, monkeypatch):
    monkeypatch.setenv(name, value)
    assert not keep_freed_memory()
    assert library.told == []


def test_other_libraries_are_left_alone(library, monkeypatch):
    monkeypatch.setattr(allocator.platform, 'libc_ver', lambda: ('', ''))
    assert not keep_freed_memory()
    monkeypatch.setattr(allocator.platform, 'libc_ver', lambda: ('glibc', '2.36'))
    monkeypatch.setattr(allocator.ctypes, 'CDLL', lambda _: object())
    assert not keep_freed_memory()
    assert library.told == []


PAGES = """
import resource

import torch

from glip.runtime.allocator import keep_freed_memory

assert keep_freed_memory()


def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(2**24).fill_(1.0)  # 64 MiB, 16384 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


for _ in range(4):  # until the heap is large enough
    faults()
print(faults())
"""


@pytest.mark.skipif(not GLIBC, reason='needs glibc')
def test_pages_are_used_again():
    """In a process of its own: where memory once ran out, glibc goes another way."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in (allocator.SWITCH, *allocator._OWN_SETTINGS)
    }
    done = subprocess.run(
        [sys.executable, '-c', PAGES],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 16384
