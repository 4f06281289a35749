"""Smaller weights in a graph that still computes in float32."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from glip.runtime.extra import require

PRECISIONS = ('fp32', 'fp16', 'int8')
_SMALL = 1024  # numbers of a tensor that is left as it is
# Convolutions in int8 cost accuracy, and time where a processor has no int8 products.
_INT8_NODES = ('MatMul', 'Gemm', 'Gather')


def write_smaller(proto: Any, path: Path, precision: str) -> None:
    """Write a graph with weights of another precision.

    ``fp16`` stores all weights in half the bytes; they are widened when the file is
    loaded. ``int8`` stores the weights of matrix products, one scale per column, and
    embeddings in a quarter; onnxruntime then quantises what goes into these products
    (``onnxruntime.quantization.quantize_dynamic``).

    Args:
        proto: An ``onnx.ModelProto``, which is changed.
        path: File to write.
        precision: ``'fp16'`` or ``'int8'``.
    """
    onnx = require('onnx', 'onnx')
    if precision == 'fp16':
        _halve(onnx, proto.graph)
        onnx.save(proto, str(path))
        return
    quantization = require('onnxruntime.quantization', 'onnx')
    dims = {entry.name: len(entry.dims) for entry in proto.graph.initializer}
    batched = [  # products of several matrices, which have no columns of one scale
        node.name
        for node in proto.graph.node
        if node.op_type == 'MatMul' and dims.get(node.input[1], 2) != 2
    ]
    logging.disable(logging.WARNING)  # advice on static quantisation
    try:
        quantization.quantize_dynamic(
            proto,
            str(path),
            op_types_to_quantize=list(_INT8_NODES),
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=batched,
        )
    finally:
        logging.disable(logging.NOTSET)


def _halve(onnx: Any, graph: Any) -> None:
    """Store weights in float16, each widened by a node at the start of the graph."""
    casts = []
    for entry in graph.initializer:
        if entry.data_type != onnx.TensorProto.FLOAT:
            continue
        values = onnx.numpy_helper.to_array(entry)
        limit = np.finfo(np.float16).max
        if values.size < _SMALL or np.abs(values).max() > limit:
            continue
        name = entry.name
        narrow = onnx.numpy_helper.from_array(values.astype(np.float16), f'{name}.fp16')
        entry.CopyFrom(narrow)
        casts.append(
            onnx.helper.make_node(
                'Cast', [narrow.name], [name], to=onnx.TensorProto.FLOAT
            )
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
