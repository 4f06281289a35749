"""JPEG files that were cut behind their last pixel."""

from __future__ import annotations

import io
import random
import re

import numpy as np
from PIL import Image

_RESTARTS = re.compile(rb'\xff[\xd0-\xd7]')
_NOISES = 4  # one alone may by chance look like what is missing
_SCAN = b'\xff\xda'
_START = b'\xff\xd8'
_END = b'\xff\xd9'


def completed(data: bytes) -> bytes | None:
    """The file with the end mark that it lacks, if all pixels are there without it.

    Whether they are is seen by decoding it with nothing and with noise before the
    mark: a decoder that still waits for pixels takes them from the noise.

    Args:
        data: A file that a decoder found cut off.

    Returns:
        The whole file; None where pixels are missing, or it is no JPEG.
    """
    if not data.startswith(_START):
        return None
    data = data.rstrip(b'\xff')  # half of the mark
    whole = data + _END
    try:
        pixels = _pixels(whole)
        noises = (_noise(seed, _awaited(data)) for seed in range(_NOISES))
        same = all(np.array_equal(pixels, _pixels(data + n + _END)) for n in noises)
    # Decoders raise anything on damaged data.
    except Exception:  # noqa: BLE001
        return None
    return whole if same else None


def _pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def _awaited(data: bytes) -> int:
    """Number of the restart mark that comes next, if such are used."""
    last = max(_RESTARTS.finditer(data), key=re.Match.start, default=None)
    if last is None or data.rfind(_SCAN) > last.start():
        return 0
    return (last[0][1] + 1) % 8


def _noise(seed: int, restart: int) -> bytes:
    """What no picture goes on with, also behind the restart mark that one waits for."""
    draw = random.Random(seed)
    parts = [bytes(draw.randrange(255) for _ in range(64)) for _ in range(9)]
    marks = [bytes((0xFF, 0xD0 + (restart + number) % 8)) for number in range(8)]
    return parts[0] + b''.join(mark + part for mark, part in zip(marks, parts[1:]))
