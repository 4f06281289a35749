"""Convolutions of a TensorFlow.js graph model."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glip.errors import CheckpointError

_DTYPES = ('float16', 'float32', 'int32')


def _read_tensors(
    groups: Sequence[Mapping[str, Any]], read: Callable[[str], bytes]
) -> dict[str, np.ndarray]:
    """Tensors by name; in the weight files they lie one after the other."""
    tensors = {}
    for group in groups:
        data = b''.join(map(read, group['paths']))
        offset = 0
        for entry in group['weights']:
            stored = entry.get('quantization', {}).get('dtype', entry['dtype'])
            if stored not in _DTYPES:
                raise CheckpointError(
                    f'{entry["name"]} is stored as {stored}; readable are '
                    f'{", ".join(_DTYPES)}'
                )
            count = int(np.prod(entry['shape'], dtype=np.int64))
            values = np.frombuffer(data, np.dtype(stored), count, offset)
            offset += values.nbytes
            tensors[entry['name']] = values.reshape(entry['shape']).astype(
                entry['dtype']
            )
        if offset != len(data):
            raise CheckpointError(
                f'{len(data) - offset} bytes of weights are left over'
            )
    return tensors


def _number(node: Mapping[str, Any]) -> int:
    """Place of a convolution in the network: convolution, convolution_1, ..."""
    match = re.search(r'_(\d+)$', node['name'])
    return int(match[1]) if match else 0


def read_convolutions(
    model: bytes, read: Callable[[str], bytes]
) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of all convolutions, in the order of the network.

    Each is a node ``Conv2D`` whose output goes to a node ``Add`` with the bias.

    Args:
        model: JSON with the graph and the list of tensors.
        read: From the name of a weight file to its bytes.

    Returns:
        Weight (out, in, h, w) and bias (out,) of each.

    Raises:
        CheckpointError: It is no graph model, or holds types that are not read.
    """
    try:
        description = json.loads(model)
        tensors = _read_tensors(description['weightsManifest'], read)
        nodes = description['modelTopology']['node']
        biases = {
            node['input'][0]: node['input'][1] for node in nodes if node['op'] == 'Add'
        }
        convolutions = sorted((n for n in nodes if n['op'] == 'Conv2D'), key=_number)
        return [
            (
                torch.from_numpy(
                    tensors[node['input'][1]].transpose(3, 2, 0, 1).copy()
                ),
                torch.from_numpy(tensors[biases[node['name']]].copy()),
            )
            for node in convolutions
        ]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CheckpointError(f'not a graph model of TensorFlow.js: {error}') from error
