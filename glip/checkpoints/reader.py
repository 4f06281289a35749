"""Reading a weight file without running anything that lies in it."""

import argparse
import pickle
import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from glip.checkpoints.digest import DIGEST_KEY, check_zip, digest_of
from glip.errors import CheckpointError
from glip.received import kind_of

# Of a file of tuned weights, see glip.checkpoints.tuned.
_TUNED_METADATA = frozenset({'tuning', 'model', 'fingerprint', 'text', 'input_ids'})
_HISTORY_METHODS = ('min', 'max', 'mean', 'current')


def _history_method(owner: type, name: str) -> Any:
    """Stands in for the ``getattr`` that pickled log histories call.

    Only the statistics of mmengine's ``HistoryBuffer`` are handed out, so a file
    cannot climb from an attribute to anything else.
    """
    if owner is not HistoryBuffer or name not in _HISTORY_METHODS:
        raise pickle.UnpicklingError(f'GLOBAL builtins.getattr of {owner}.{name}')
    return getattr(HistoryBuffer, name)


def _safe_globals() -> list:
    """Plain data types which training checkpoints hold besides tensors."""
    core = getattr(np, '_core', None) or np.core
    numpy_functions = [
        (function, f'numpy.{package}.multiarray.{name}')
        for name in ('_reconstruct', 'scalar')
        for function in [getattr(core.multiarray, name)]
        for package in ('core', '_core')
    ]
    dtypes = {type(np.dtype(code)) for code in '?bhilqBHILQefdFDSUO'}
    paths = [(PurePosixPath, f'{m}.PosixPath') for m in ('pathlib', 'pathlib._local')]
    return [
        np.ndarray,
        np.dtype,
        *dtypes,
        *numpy_functions,
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        ConfigDict,
        argparse.Namespace,
        *paths,
        set,
        frozenset,
        bytes,  # of an array without numbers
        slice,
        complex,
        list,
        dict,
        tuple,
        int,
        float,
    ]


def sniff(path: Path) -> str:
    """Tell the kind of a file from its first bytes.

    Returns:
        'safetensors', 'torch' (zip or the older stream), or what else it seems to be
        in words that fit after "it is".
    """
    size = path.stat().st_size
    if size == 0:
        return 'empty (0 bytes)'
    with path.open('rb') as file:
        head = file.read(256)
    # safetensors: the length of the JSON header, then the header.
    if head[8:9] == b'{' and int.from_bytes(head[:8], 'little') <= size:
        return 'safetensors'
    if head.startswith(b'PK\x03\x04') or head.startswith(b'\x80\x02'):
        return 'torch'
    if head.startswith(b'\x1f\x8b'):
        return 'compressed (gzip); unpack it first'
    if head.startswith(b'version https://git-lfs'):
        return 'a Git LFS pointer; run `git lfs pull`'
    text = head.lstrip().lower()
    if text.startswith((b'<!doctype', b'<html', b'<?xml')):
        return 'a web page, so the download went wrong; fetch it again'
    if all(byte in b'\t\r\n' or 32 <= byte < 127 for byte in head):
        return 'a text file'
    return 'neither a torch nor a safetensors file, or its beginning is damaged'


def read_file(path: str | Path) -> dict:
    """Read a torch (zip or legacy) or safetensors file as plain data on the CPU.

    Tensors are mapped into memory where the file allows it: they are read when they are
    used, and written to without changing the file.

    The kind is told from the content, not from the name. Only tensors and plain
    values are rebuilt; anything else in the file is refused before it is touched.

    Args:
        path: File to read.

    Returns:
        The dictionary in the file, nested as it was saved.

    Raises:
        CheckpointError: Missing, unreadable, damaged, not a weight file, or holding
            objects that could run code; one line that says which.
    """
    path = Path(path)
    try:
        special = kind_of(path)
        if special is not None:
            raise CheckpointError(f'{path} is {special}; name a weight file')
        kind = sniff(path)
        if kind == 'safetensors':
            return _read_safetensors(path)
        if kind == 'torch':
            return _read_torch(path)
    except FileNotFoundError as error:
        raise CheckpointError(f'weight file {path} does not exist') from error
    except OSError as error:
        raise CheckpointError(f'cannot read {path}: {_line(error)}') from error
    except SafetensorError as error:
        raise CheckpointError(
            f'{path} is damaged or cut short: {_line(error)}'
        ) from error
    raise CheckpointError(f'{path} holds no weights: it is {kind}')


def tuned_metadata(path: str | Path) -> dict[str, str] | None:
    """Metadata of a file of tuned weights; None for any other file.

    Raises:
        CheckpointError: The file cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        read_file(path)  # says what is wrong
    try:
        if sniff(path) != 'safetensors':
            return None
        with safe_open(path, framework='pt') as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f'{path} is damaged or cut short: {error}') from error
    return metadata if set(metadata) >= _TUNED_METADATA else None


def _read_safetensors(path: Path) -> dict:
    state = load_file(path)
    with safe_open(path, 'pt') as file:
        written = (file.metadata() or {}).get(DIGEST_KEY)
    if written is not None and written != digest_of(state):
        raise CheckpointError(
            f'{path} is damaged: its weights are not those that were written; fetch or '
            'copy the file again'
        )
    return state


def _read_torch(path: Path) -> dict:
    with path.open('rb') as file:
        is_zip = file.read(2) == b'PK'
    if is_zip:
        check_zip(path)
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            content = torch.load(
                path, map_location='cpu', weights_only=True, mmap=is_zip
            )
    except OSError:
        raise
    # A damaged pickle calls what it names with anything.
    except Exception as error:  # noqa: BLE001
        culprit = re.search(r'(?:GLOBAL|class|function) ([\w.]+)', str(error))
        if isinstance(error, pickle.UnpicklingError) and culprit:
            raise CheckpointError(
                f'{path} needs {culprit[1]} to be rebuilt, which could run code, so it '
                'is refused; save its tensors alone (a state dict or safetensors)'
            ) from error
        if 'TorchScript' in str(error):
            raise CheckpointError(
                f'{path} is a TorchScript program, not a checkpoint'
            ) from error
        raise CheckpointError(
            f'{path} is damaged or cut short: {_line(error)}'
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path} holds a {type(content).__name__}, not a dictionary of weights'
        )
    return content


def _line(error: BaseException) -> str:
    """What an error says in its first line, without torch's advice around it."""
    text = str(error).rpartition('WeightsUnpickler error:')[2].strip()
    return (text.splitlines() or [type(error).__name__])[0][:160]
