"""What is packed comes back, and nothing else can come out of the bytes."""

import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from glip.runtime.plain_records import NotPlainError, from_bytes, to_bytes


@dataclass(frozen=True, slots=True)
class Pair:
    a: object
    b: tuple[int, ...] = ()


@pytest.mark.parametrize(
    'value',
    [
        *(None, True, False, 3, -(2**70), 'é中\ud800', 0.1, -0.0, 5e-324, math.inf),
        *([], (), {}, [1, [2, (3,)]], {'a': {1: (2, None)}, (1, 2): 'x'}, {1, 2}),
        Pair([1], (2,)),
    ],
)
def test_plain_values(value):
    back = from_bytes(to_bytes(value), [Pair])
    assert back == value and type(back) is type(value)


def test_not_a_number():
    assert math.isnan(from_bytes(to_bytes(math.nan)))


@pytest.mark.parametrize('kind', ['f2', 'f4', 'f8', 'u1', 'i8', '?', 'c16', '>f4'])
@pytest.mark.parametrize('shape', [(), (0,), (3,), (2, 0, 4), (2, 3)])
def test_arrays(kind, shape):
    array = np.arange(math.prod(shape)).reshape(shape).astype(kind)
    back = from_bytes(to_bytes([array, array.T]))
    for one, expected in zip(back, (array, array.T), strict=True):
        assert one.dtype == expected.dtype and one.shape == expected.shape
        np.testing.assert_array_equal(one, expected)
        assert one.flags.writeable


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.bool])
def test_tensors(dtype):
    tensor = torch.tensor([[0.0, 1.5], [2.0, 0.0]]).to(dtype)
    back = from_bytes(to_bytes({'x': tensor}))['x']
    assert back.dtype == dtype and torch.equal(back, tensor)
    scalar = from_bytes(to_bytes(np.float32(0.1)))
    assert type(scalar) is np.float32 and scalar == np.float32(0.1)


@pytest.mark.parametrize('value', [object(), len, np.array([object()]), b'x', Pair])
def test_what_is_no_data_is_refused(value):
    with pytest.raises(NotPlainError):
        to_bytes([value])


def test_classes_that_are_not_named_are_not_made():
    with pytest.raises(ValueError):
        from_bytes(to_bytes(Pair(1)))


def test_damaged_bytes_are_a_value_error_or_data():
    data = to_bytes({'a': [np.arange(5), (1.5, None)], 'b': Pair(torch.ones(2))})
    rng = random.Random(0)
    for _ in range(2000):
        changed = bytearray(data[: rng.randrange(len(data))] or data)
        for _ in range(rng.choice((0, 1, 3))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        try:
            from_bytes(bytes(changed), [Pair])
        except ValueError:
            pass
