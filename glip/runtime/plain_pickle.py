"""Pickles of others, read without running them.

Code in a pickle runs through the functions and classes whose names it looks up. Here
none is looked up but those that rebuild plain data.
"""

from __future__ import annotations

import io
import pickle
from typing import IO, Any, NoReturn

import torch

_BUILDERS = {
    ('collections', 'OrderedDict'),
    ('torch._utils', '_rebuild_tensor_v2'),
    ('torch', 'Size'),
    ('torch', 'device'),
    ('numpy', 'ndarray'),
    ('numpy', 'dtype'),
    ('_codecs', 'encode'),
    ('builtins', 'set'),
    ('builtins', 'frozenset'),
    ('builtins', 'slice'),
    ('builtins', 'complex'),
    ('builtins', 'bytearray'),
    ('pathlib', 'PosixPath'),
    ('pathlib', 'PurePosixPath'),
    *(
        (f'numpy.{core}.{module}', name)
        for core in ('core', '_core')
        for module, name in (
            ('multiarray', '_reconstruct'),
            ('multiarray', 'scalar'),
            ('numeric', '_frombuffer'),
        )
    ),
}


class RefusedError(Exception):
    """A pickle asks for something that is no plain data; the message names it."""


def load_plain(file: IO[bytes], *, arrays: bool = False, **options: Any) -> Any:
    """What a pickle holds: lists, mappings, strings and numbers.

    Args:
        file: Open for reading bytes.
        arrays: Allow arrays, tensors, sets, paths and the like.
        options: For :class:`pickle.Unpickler`: ``encoding`` and ``errors``.

    Raises:
        RefusedError: There is something else in it, or it refers to other files.
        Exception: Of any kind: a damaged pickle calls what it names with anything.
    """
    unpickler = _PlainUnpickler(file, **options)
    unpickler.arrays = arrays
    return unpickler.load()


class _PlainUnpickler(pickle.Unpickler):
    arrays = False

    def find_class(self, module: str, name: str, /) -> Any:
        if self.arrays:
            if (module, name) == ('torch.storage', '_load_from_bytes'):
                return _storage
            if (module, name) in _BUILDERS or _is_type_of_numbers(module, name):
                return super().find_class(module, name)
        raise RefusedError(f'{module}.{name}')

    def persistent_load(self, pid: Any) -> NoReturn:
        raise RefusedError('a reference to another file')


def _is_type_of_numbers(module: str, name: str) -> bool:
    if '.' in name:  # an attribute of something else in that module
        return False
    if module == 'torch':
        kind = getattr(torch, name, None)
        return name.endswith('Storage') or isinstance(kind, torch.dtype)
    return module == 'numpy.dtypes' and name.endswith('DType')


def _storage(data: bytes) -> Any:
    """The numbers of a tensor; torch's own way would unpickle anything."""
    return torch.load(io.BytesIO(data), map_location='cpu', weights_only=True)
