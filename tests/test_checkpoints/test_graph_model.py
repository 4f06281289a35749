"""Convolutions of a TensorFlow.js model, and the package that holds NanoDet-g."""

import json
import tarfile

import numpy as np
import pytest
import torch

from glip.checkpoints.graph_model import read_convolutions
from glip.checkpoints.nanodet import read_nanodet_g
from glip.errors import CheckpointError


def _model(dtype='float16', extra=b''):
    """JSON and bytes of a graph with two convolutions, the second written first."""
    random = np.random.default_rng(0)
    tensors, data, expected = [], b'', []
    nodes = []
    for name, shape in (('convolution_1', (1, 1, 4, 2)), ('convolution', (3, 3, 1, 4))):
        weight = random.normal(size=shape).astype(np.float16)
        bias = random.normal(size=shape[-1]).astype(np.float16)
        for kind, values in (('w', weight), ('b', bias)):
            tensors.append(
                dict(
                    name=f'{name}/{kind}',
                    shape=list(values.shape),
                    dtype='float32',
                    quantization=dict(dtype=dtype),
                )
            )
            data += values.tobytes()
        nodes.append(dict(op='Conv2D', name=name, input=['x', f'{name}/w']))
        nodes.append(dict(op='Add', name=f'{name}/add', input=[name, f'{name}/b']))
        expected.insert(0, (weight, bias))
    model = dict(
        modelTopology=dict(node=nodes),
        weightsManifest=[dict(paths=['w.bin'], weights=tensors)],
    )
    return json.dumps(model).encode(), data + extra, expected


def test_convolutions_come_in_the_order_of_the_network():
    model, data, expected = _model()
    pairs = read_convolutions(model, {'w.bin': data}.__getitem__)
    assert [tuple(weight.shape) for weight, _ in pairs] == [(4, 1, 3, 3), (2, 4, 1, 1)]
    for (weight, bias), (stored, stored_bias) in zip(pairs, expected):
        # Stored as height, width, in, out.
        assert weight[1, 0, -1, -1] == np.float32(stored[-1, -1, 0, 1])
        assert torch.equal(bias, torch.from_numpy(stored_bias.astype(np.float32)))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [(dict(dtype='uint8'), 'uint8'), (dict(extra=b'xx'), '2 bytes')],
)
def test_other_ways_to_store_are_refused(changes, message):
    model, data, _ = _model(**changes)
    with pytest.raises(CheckpointError, match=message):
        read_convolutions(model, {'w.bin': data}.__getitem__)


@pytest.mark.parametrize('model', [b'{}', b'not json', b'{"weightsManifest": []}'])
def test_no_graph_model(model):
    with pytest.raises(CheckpointError, match='graph model'):
        read_convolutions(model, {}.__getitem__)


def test_another_file_than_the_published_one_is_refused(tmp_path):
    (tmp_path / 'nanodet.json').write_text('{}')
    (tmp_path / 'nanodet.bin').write_bytes(b'other')
    with pytest.raises(CheckpointError, match='sha256'):
        read_nanodet_g(tmp_path)


@pytest.mark.parametrize('kind', ['missing', 'empty archive', 'no archive'])
def test_without_the_package(tmp_path, kind):
    path = tmp_path / 'package.tgz'
    if kind == 'empty archive':
        tarfile.open(path, 'w:gz').close()
    elif kind == 'no archive':
        path.write_bytes(b'text')
    with pytest.raises(CheckpointError, match='human-models'):
        read_nanodet_g(path)
