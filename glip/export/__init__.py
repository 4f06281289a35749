"""The model as ONNX graphs: writing them, and detecting with them."""

from glip.export.sessions import is_onnx, load_onnx
from glip.export.write import export_onnx

__all__ = ['export_onnx', 'is_onnx', 'load_onnx']
