"""What an ONNX file says of its model, as JSON."""

from __future__ import annotations

import json
from typing import Any

KEY = 'glip'  # in the metadata of the file
WORDS = '.words.onnx'  # ending of the file with the language model
_TUPLE = '__tuple__'  # JSON has lists alone, and some transforms insist on tuples


def packed(about: dict[str, Any]) -> str:
    """Write metadata, tuples included."""
    return json.dumps(_to_json(about))


def unpacked(text: str) -> dict[str, Any]:
    """Read what :func:`packed` wrote.

    Raises:
        ValueError: It is something else.
    """
    about = json.loads(text, object_hook=_from_json)
    if not isinstance(about, dict):
        raise ValueError('no metadata of a GLIP')
    return about


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return {_TUPLE: [_to_json(item) for item in value]}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value


def _from_json(entry: dict[str, Any]) -> Any:
    return tuple(entry[_TUPLE]) if set(entry) == {_TUPLE} else entry
