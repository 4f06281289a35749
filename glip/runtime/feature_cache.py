"""What a model computed of words and of a picture, for the calls that follow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

# The limit on prompts bounds the memory: one of 256 tokens takes 1.6 MB of BERT-base's
# features. LVIS has 31 prompts.
_TEXTS, _PROMPTS, _CLASS_MAPS = 64, 512, 1024

Value = TypeVar('Value')


class Recent(Generic[Value]):
    """Values by key, of which those used least recently go first.

    Args:
        count: Most values.
        total: Most that values weigh together; the latest stays whatever it weighs.
        weight: Weight of a value, by default 1.
    """

    def __init__(
        self,
        count: int,
        total: float = float('inf'),
        weight: Callable[[Value], float] | None = None,
    ) -> None:
        self.count, self.total, self.weight = count, total, weight or _one
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, which begins empty."""
        return {**self.__dict__, '_values': OrderedDict(), '_lock': None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """The value of a key, computed where it is not known; threads may share it."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = compute()
        with self._lock:
            value = self._values.setdefault(key, value)
            self._values.move_to_end(key)
            while len(self._values) > 1 and (
                len(self._values) > self.count
                or sum(map(self.weight, self._values.values())) > self.total
            ):
                self._values.popitem(last=False)
        return value

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._values.clear()


class _Picture(NamedTuple):
    key: Hashable
    pixels: Tensor
    features: Any


def _one(value: Any) -> float:
    return 1.0


class FeatureCache:
    """Prompts, encoded texts and the last picture of one model.

    A model asks the cache of the region it is called in; it holds none itself::

        cache = FeatureCache()
        with cache.in_use(model):
            model.test_step(data)

    Keys name all that a value depends on but the weights, which must not change within
    a region. From one region to the next :meth:`in_use` sees whether they did.

    Args:
        texts: Most texts.
        prompts: Most prompts of all texts together; the latest text always stays.

    Attributes:
        prompts: Parsed and tokenized prompts of a text.
        texts: Encoded texts, anything with a ``mask`` (prompts, tokens).
        class_maps: Maps from the tokens of a prompt to its classes.
    """

    def __init__(self, *, texts: int = _TEXTS, prompts: int = _PROMPTS) -> None:
        self.prompts: Recent[Any] = Recent(texts)
        self.texts: Recent[Any] = Recent(texts, prompts, lambda text: len(text.mask))
        self.class_maps: Recent[Any] = Recent(_CLASS_MAPS)
        self._picture: _Picture | None = None
        self._weights: tuple | None = None

    @staticmethod
    def current() -> FeatureCache:
        """The one in use; outside of all regions a new one."""
        return _current.get() or FeatureCache()

    @contextmanager
    def in_use(self, model: nn.Module | None = None) -> Iterator[FeatureCache]:
        """A region whose calls share what they compute, in this thread.

        Args:
            model: What is cached of other weights than its present ones is forgotten.
        """
        if model is not None:
            weights = _state_of_weights(model)
            if weights != self._weights:
                self.clear()
            self._weights = weights
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def __reduce__(self) -> tuple[type, tuple[()]]:
        return type(self), ()  # a copy begins empty, as a new one does

    def clear(self) -> None:
        """Forget everything."""
        for values in (self.prompts, self.texts, self.class_maps):
            values.clear()
        self._picture = None

    def picture(self, key: Hashable, pixels: Tensor, compute: Callable[[], Any]) -> Any:
        """Features of a picture, computed unless it is the one of the call before.

        Args:
            key: Differs where features would, whatever the pixels; pixels are compared
                where keys are equal.
            pixels: Preprocessed picture.
            compute: Makes its features.
        """
        last = self._picture
        if last and last.key == key and torch.equal(last.pixels, pixels):
            return last.features
        self._picture = last = None  # before memory is needed for the next
        features = compute()
        if pixels.untyped_storage().nbytes() > pixels.nbytes:
            pixels = pixels.clone()  # a view would keep the whole batch
        self._picture = _Picture(key, pixels, features)
        return features


_current: ContextVar[FeatureCache | None] = ContextVar('feature_cache', default=None)


def _state_of_weights(model: nn.Module) -> tuple:
    """Changes with the weights: versions count changes in place."""
    tensors = (*model.parameters(), *model.buffers())
    return tuple((tensor.data_ptr(), tensor._version) for tensor in tensors)


def hashable(value: Any) -> Any:
    """A part of a key for a prompt given as list, dict or nested lists."""
    if isinstance(value, dict):
        return tuple((key, hashable(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return tuple(map(hashable, value))
    return value
