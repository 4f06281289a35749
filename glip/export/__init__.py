"""The model as ONNX graphs: writing them, and detecting with them."""

from importlib import import_module
from typing import Any

_LAZY = {
    'export_onnx': 'glip.export.write',
    'exported_model': 'glip.export.evaluating',
    'is_onnx': 'glip.export.sessions',
    'load_onnx': 'glip.export.sessions',
}

__all__ = ['export_onnx', 'exported_model', 'is_onnx', 'load_onnx']


def __getattr__(name: str) -> Any:
    # Writing needs torchvision, which takes a second to import; loading does not.
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'glip.export' has no attribute {name!r}")
