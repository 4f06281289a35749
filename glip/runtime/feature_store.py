"""What frozen parts of a model compute of pictures, kept on disk from run to run."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from mmengine.logging import print_log
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from glip.runtime.atomic import atomic_write

Features = tuple[Tensor, ...]
_GIGABYTE = 1e9


class FeatureStore:
    """Features of pictures in a folder, one file each.

    The name of a file is a hash of weights and picture, so a folder serves any number
    of runs, models and data sets, and what belongs to other weights or another cut of
    a picture is never taken. Content that does not have the hash it was written with
    is computed again. A model asks the store of the region it is called in, if any::

        with FeatureStore(folder, weights=digest).in_use():
            model.train_step(...)

    Args:
        folder: Made where it is missing.
        weights: Hash of all that features depend on besides the picture, asked for
            once, at the first picture.
        max_gb: Size of the folder in 10^9 bytes from which on nothing is added.
    """

    def __init__(
        self, folder: str | Path, weights: Callable[[], str], max_gb: float
    ) -> None:
        self.folder = Path(folder)
        self._weights_of, self._weights = weights, ''
        self._room = max_gb * _GIGABYTE - sum(
            file.stat().st_size for file in self.folder.glob('??/*.safetensors')
        )

    @staticmethod
    def current() -> FeatureStore | None:
        """The store in use."""
        return _current.get()

    @contextmanager
    def in_use(self) -> Iterator[FeatureStore]:
        """A region whose frozen parts ask this store, in this thread."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def get(
        self, pixels: Tensor, arithmetic: object, compute: Callable[[], Features]
    ) -> Features:
        """Features of a picture, computed unless they are in the folder.

        Args:
            pixels: Preprocessed picture, padding included.
            arithmetic: Besides weights and pixels, what features depend on.
            compute: Makes them.

        Returns:
            Without gradient, on the device of the pixels.
        """
        path = self._path(pixels, arithmetic)
        features = _read(path)
        if features is None:
            with torch.no_grad():
                # As it is read again, to the last digit.
                features = tuple(level.contiguous() for level in compute())
            self._write(path, features)
        return tuple(level.to(pixels.device) for level in features)

    def _path(self, pixels: Tensor, arithmetic: object) -> Path:
        self._weights = self._weights or self._weights_of()
        device = pixels.device.type
        key = f'{self._weights} {arithmetic} {device} {tuple(pixels.shape)}'
        name = _hash(pixels, start=key)
        return self.folder / name[:2] / f'{name}.safetensors'

    def _write(self, path: Path, features: Features) -> None:
        """Add a file while there is room; a full disk costs no more than time."""
        if self._room <= 0:
            return
        state = {str(i): x.cpu() for i, x in enumerate(features)}
        size = sum(x.nbytes for x in state.values())
        self._room -= size
        try:
            if self._room <= 0:
                raise OSError('the limit max_gb is reached')
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                save_file(state, temporary, metadata={'hash': _hash(*state.values())})
        except (OSError, SafetensorError) as error:
            self._room = 0
            print_log(
                f'{self.folder}: no more features are kept ({error}); pictures that '
                'are not there yet are computed each time',
                'current',
                logging.WARNING,
            )


def _read(path: Path) -> Features | None:
    """Features of a file; None where it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework='pt') as file:
            expected = (file.metadata() or {}).get('hash')
            features = tuple(file.get_tensor(str(i)) for i in range(len(file.keys())))
    except (OSError, SafetensorError):
        return None
    return features if _hash(*features) == expected else None


def _hash(*tensors: Tensor, start: str = '') -> str:
    digester = hashlib.blake2b(start.encode(), digest_size=20)
    for tensor in tensors:
        data = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digester.update(data.numpy().data)
    return digester.hexdigest()


_current: ContextVar[FeatureStore | None] = ContextVar('feature_store', default=None)
