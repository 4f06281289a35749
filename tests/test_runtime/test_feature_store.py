"""Features of pictures on disk: the same as computed, and only where they belong."""

import pytest
import torch

from glip.runtime.feature_store import FeatureStore


class Parts:
    """Counts what is computed."""

    def __init__(self):
        self.count = 0

    def __call__(self, pixels):
        self.count += 1
        return pixels * 2, pixels.transpose(-1, -2)  # one is not contiguous


@pytest.fixture
def parts():
    return Parts()


def ask(folder, parts, pixels, weights='w', arithmetic=None, max_gb=1.0):
    store = FeatureStore(folder, lambda: weights, max_gb)
    return store.get(pixels, arithmetic, lambda: parts(pixels))


def test_the_second_run_reads_what_the_first_computed(tmp_path, parts):
    pixels = torch.rand(1, 3, 4, 6)
    first, second = (ask(tmp_path, parts, pixels) for _ in range(2))
    assert parts.count == 1
    for ours, theirs, expected in zip(first, second, Parts()(pixels), strict=True):
        assert torch.equal(ours, expected) and torch.equal(theirs, expected)
        assert ours.stride() == theirs.stride()


def test_another_picture_size_weight_or_arithmetic_is_computed(tmp_path, parts):
    pixels = torch.zeros(1, 3, 4, 6)
    ask(tmp_path, parts, pixels)
    other = pixels.clone()
    other[0, 0, 0, 0] = 1e-6
    ask(tmp_path, parts, other)
    ask(tmp_path, parts, pixels.transpose(-1, -2))
    ask(tmp_path, parts, pixels, weights='x')
    ask(tmp_path, parts, pixels, arithmetic=torch.bfloat16)
    assert parts.count == 5


@pytest.mark.parametrize('damage', ['cut', 'changed', 'emptied', 'replaced'])
def test_damaged_files_are_computed_again(damage, tmp_path, parts):
    pixels = torch.rand(1, 3, 8, 8)
    expected = ask(tmp_path, parts, pixels)
    file = next(tmp_path.rglob('*.safetensors'))
    data = bytearray(file.read_bytes())
    data[-2] ^= 0xFF
    changes = dict(cut=data[:-100], changed=data, emptied=b'', replaced=b'text')
    file.write_bytes(bytes(changes[damage]))
    for _ in range(2):
        for ours, theirs in zip(ask(tmp_path, parts, pixels), expected, strict=True):
            assert torch.equal(ours, theirs)
    assert parts.count == 2


def test_a_full_folder_and_one_that_cannot_be_written_cost_time_only(tmp_path, parts):
    pixels = torch.rand(1, 3, 8, 8)
    for _ in range(2):
        ask(tmp_path, parts, pixels, max_gb=1e-9)
    assert parts.count == 2 and not [*tmp_path.rglob('*.safetensors')]
    (tmp_path / 'file').write_text('')
    ask(tmp_path / 'file' / 'below', parts, pixels)
    assert parts.count == 3


def test_only_a_region_has_a_store(tmp_path):
    store = FeatureStore(tmp_path, lambda: 'w', 1.0)
    assert FeatureStore.current() is None
    with store.in_use():
        assert FeatureStore.current() is store
    assert FeatureStore.current() is None
