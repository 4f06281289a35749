"""The surroundings that sides are measured in."""

from benchmarks.speed import environment


class Library:
    """A C library that notes what it is told."""

    def __init__(self) -> None:
        self.told = []

    def mallopt(self, key, value):
        self.told.append((key, value))
        return 1

    def malloc_trim(self, pad):
        self.told.append('trim')


def test_each_side_gets_the_allocator_of_its_users(monkeypatch):
    library = Library()
    monkeypatch.setattr(environment.ctypes, 'CDLL', lambda _: library)
    monkeypatch.setattr(
        environment, 'keep_freed_memory', lambda: library.told.append('keep')
    )
    monkeypatch.setattr(environment.platform, 'libc_ver', lambda: ('glibc', '2.36'))
    environment.allocator_of_users(ours=True)
    assert library.told == ['keep']
    environment.allocator_of_users(ours=False)
    assert library.told[1:] == [(-3, 32 * 2**20), (-1, 64 * 2**20), 'trim']
