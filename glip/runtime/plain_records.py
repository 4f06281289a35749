"""Results of any depth as bytes that hold data only: JSON beside raw arrays.

Unlike a pickle, reading them back can call nothing, so they may come from others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch

from glip.received import parse_json

_KINDS = 'biufc'  # of numpy: no objects, whose bytes are addresses


class NotPlainError(TypeError):
    """A value of a kind that cannot be kept."""


def to_bytes(value: Any) -> bytes:
    """Pack nested lists, tuples, mappings, text, numbers, arrays and tensors.

    Objects of data classes are kept by the name of their class and their fields.

    Raises:
        NotPlainError: There is something else in it.
    """
    arrays: list[np.ndarray] = []
    head = json.dumps(_packed(value, arrays), separators=(',', ':')).encode()
    parts = [len(head).to_bytes(8, 'little'), head]
    parts += [np.ascontiguousarray(array).tobytes() for array in arrays]
    return b''.join(parts)


def from_bytes(data: bytes, kinds: Collection[type] = ()) -> Any:
    """What was packed; arrays are copies.

    Args:
        data: Of :func:`to_bytes`.
        kinds: Data classes that may be in it; no others are made.

    Raises:
        ValueError: It was not packed by :func:`to_bytes`, or is damaged.
    """
    size = int.from_bytes(data[:8], 'little')
    if size > len(data) - 8:
        raise ValueError('cut off')
    reader = _Reader(memoryview(data)[8 + size :], kinds)
    try:
        return reader.value(parse_json(data[8 : 8 + size]))
    except (KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError(f'not packed here ({error!r})') from error


def _packed(value: Any, arrays: list[np.ndarray]) -> Any:
    """JSON of a value: plain ones as they are, others as [kind, content]."""
    if type(value) is float:
        return value if math.isfinite(value) else ['float', repr(value)]
    if type(value) in (str, int, bool, type(None)):
        return value
    if type(value) in (list, tuple, torch.Size):
        kind = 'list' if isinstance(value, list) else 'tuple'
        return [kind, [_packed(entry, arrays) for entry in value]]
    if type(value) in (set, frozenset):
        return ['set', [_packed(entry, arrays) for entry in value]]
    if isinstance(value, dict):
        pairs = [
            [_packed(key, arrays), _packed(entry, arrays)]
            for key, entry in value.items()
        ]
        return ['dict', pairs]
    if is_dataclass(value) and not isinstance(value, type):
        content = {field.name: getattr(value, field.name) for field in fields(value)}
        return ['object', [type(value).__qualname__, _packed(content, arrays)]]
    if isinstance(value, torch.Tensor) and value.layout == torch.strided:
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:
            return ['bfloat16', _packed(value.float().numpy(), arrays)]
        if not value.is_quantized:
            return ['tensor', _packed(value.numpy(), arrays)]
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return ['scalar', _packed(np.asarray(value), arrays)]
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        arrays.append(value)
        return ['array', [value.dtype.str, list(value.shape)]]
    raise NotPlainError(f'{type(value).__name__} cannot be kept as plain data')


class _Reader:
    """Takes the arrays one after the other, as they were packed."""

    def __init__(self, data: memoryview, kinds: Collection[type]) -> None:
        self._data = data
        self._kinds = {kind.__qualname__: kind for kind in kinds}
        self._place = 0

    def value(self, packed: Any) -> Any:
        if not isinstance(packed, list):
            return packed
        kind, content = packed
        if kind == 'float':
            return float(content)
        if kind in ('list', 'tuple', 'set'):
            entries = [self.value(entry) for entry in content]
            return {'list': list, 'tuple': tuple, 'set': set}[kind](entries)
        if kind == 'dict':
            return {self.value(key): self.value(entry) for key, entry in content}
        if kind == 'object':
            name, content = content
            return self._kinds[name](**self.value(content))
        if kind == 'tensor':
            return torch.from_numpy(self.value(content))
        if kind == 'bfloat16':
            return torch.from_numpy(self.value(content)).bfloat16()
        if kind == 'scalar':
            return self.value(content)[()]
        if kind == 'array':
            return self._array(*content)
        raise ValueError(f'unknown kind {kind!r:.40}')

    def _array(self, name: str, shape: Sequence[int]) -> np.ndarray:
        dtype = np.dtype(name)
        if dtype.kind not in _KINDS or any(side < 0 for side in shape):
            raise ValueError(f'no array of {name!r:.40}')
        begin = self._place
        self._place += math.prod(shape) * dtype.itemsize
        part = self._data[begin : self._place]
        if len(part) != self._place - begin:
            raise ValueError('cut off')
        return np.frombuffer(part, dtype=dtype).reshape(shape).copy()
