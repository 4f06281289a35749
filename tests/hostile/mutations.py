"""How input is damaged: bytes, values and files, all drawn from a seed."""

from __future__ import annotations

import gzip
import json
import math
import os
import pickle
import random
import shutil
import socket
from pathlib import Path
from typing import Any

_DEEP = '@DEEP@'  # stands for nesting that json.dumps could not write
_PLACES = [
    *('/etc/passwd', '../../../../etc/passwd', '/dev/zero', '/dev/stdin', '.', '..'),
    *('/', '~', '', ' ', 'a\0b', 'x' * 5000, '\ud800', 'file:///etc/passwd', '://'),
    *('C:\\a.jpg', 'a/../../b', 'http://127.0.0.1:9/a.jpg', '%s%n', '-', '{}', '*'),
]
VALUES: list[Any] = [
    *(None, True, False, -1, 0, 1, 2**31, 2**63, 10**30, -(10**30), 0.5, -0.0),
    *(math.nan, math.inf, -math.inf, 1e308, 5e-324, 'nan', '1e999', '5'),
    *([], {}, [[]], [None], {'': None}, {'a': {'b': [1]}}, [[1, 2], [3]], 'x', 'é中'),
    *('x' * 20_000, [0] * 5000, [0, 0, 0], [1, 2, 3, 4], ['1', '2', '3', '4'], _DEEP),
    *_PLACES,
]


class Canary:
    """What a pickle calls when somebody rebuilds it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.file),))


def value(rng: random.Random) -> Any:
    """One that hardly any argument is meant for."""
    return rng.choice(VALUES)


def damage_json(text: str, rng: random.Random) -> str:
    """Put hostile values into one to three places of a JSON text, or take some out."""
    content = json.loads(text)
    for _ in range(rng.randint(1, 3)):
        content = _damaged(content, rng)
    depth = rng.choice((100, 800, 20_000, 200_000))
    left, right = rng.choice((('[', ']'), ('{"a":', '}')))
    deep = left * depth + '0' + right * depth
    return json.dumps(content).replace(f'"{_DEEP}"', deep)


def damage_lines(text: str, rng: random.Random) -> str:
    """One line of JSON lines damaged as JSON, or not JSON at all."""
    lines = text.splitlines()
    number = rng.randrange(len(lines))
    bad = ('{', '[]', '1', 'null', '"x"', '\0', 'nan', '[' * 50_000)
    if rng.random() < 0.2:
        lines[number] = rng.choice(bad)
    else:
        lines[number] = damage_json(lines[number], rng)
    return '\n'.join(lines) + '\n'


def _damaged(content: Any, rng: random.Random) -> Any:
    """One place, drawn from the outside inwards, changed."""
    inner = isinstance(content, (dict, list)) and len(content) > 0
    if not inner or rng.random() < 0.1:
        return value(rng)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = rng.choice(keys)
    chance = rng.random()
    if chance < 0.08:
        del content[key]
    elif chance < 0.14 and isinstance(content, list):
        content.append(content[key])
    elif chance < 0.18 and isinstance(content, dict):
        content[str(value(rng))[:50]] = content[key]
    else:
        content[key] = _damaged(content[key], rng)
    return content


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """Truncated, flipped, in another encoding, or something else altogether."""
    kind = rng.randrange(12)
    if kind < 3:
        return data[: rng.randrange(len(data) + 1)]
    if kind < 6:
        changed = bytearray(data)
        for _ in range(rng.choice((1, 2, 8, 64))):
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)
    if kind == 6:
        place = rng.randrange(len(data) + 1)
        return data[:place] + rng.randbytes(rng.choice((1, 7, 4096))) + data[place:]
    if kind == 7:
        return b''
    if kind == 8:
        text = data.decode('latin-1')
        return text.encode(rng.choice(('utf-16', 'utf-32', 'utf-8-sig', 'utf-16-be')))
    if kind == 9:
        return gzip.compress(data)
    if kind == 10:
        start = rng.choice((b'<html>', b'\0' * 64, b'\xff\xd8\xff', b'PK\x03\x04'))
        return start + data[rng.randrange(len(data)) :]
    return data + data


def damage_pickle(data: bytes, rng: random.Random, canary: Path) -> bytes:
    """Bytes damaged, or a pickle that would run something."""
    if rng.random() < 0.75:
        return damage_bytes(data, rng)
    bird = Canary(canary)
    content = rng.choice((bird, [bird], {'state_dict': bird}, {'meta': bird}))
    return pickle.dumps(content, protocol=rng.choice((2, 4)))


KINDS_OF_PLACES = (
    *('absent', 'folder', 'fifo', 'socket', 'loop', 'device', 'dangling', 'in_file'),
)


def replace_file(path: Path, rng: random.Random) -> str:
    """Put something that is no file where one is expected.

    Returns:
        What it is.
    """
    kind = rng.choice(KINDS_OF_PLACES)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if kind == 'folder':
        path.mkdir()
    elif kind == 'fifo':
        os.mkfifo(path)
    elif kind == 'socket':
        _socket(path)
    elif kind == 'loop':
        path.symlink_to(path.name)
    elif kind == 'device':
        path.symlink_to(rng.choice(('/dev/zero', '/dev/urandom', '/dev/full')))
    elif kind == 'dangling':
        path.symlink_to(path.parent / 'nowhere' / 'x')
    elif kind == 'in_file':
        path.symlink_to('/etc/passwd/x')
    return kind


def _socket(path: Path) -> None:
    before = os.getcwd()
    os.chdir(path.parent)  # names of sockets are short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name[:90])
    finally:
        os.chdir(before)
