"""Files that are read, files that are refused, and code that never runs."""

import argparse
import collections
import io
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file

from glip.checkpoints.reader import read_file
from glip.errors import CheckpointError

STATE = {'bbox_head.a': torch.arange(6.0).view(2, 3), 'neck.b': torch.ones(4)}


def refused(path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_file(path)
    message = str(caught.value)
    assert '\n' not in message and str(path) in message
    return message


@pytest.mark.parametrize('legacy', [False, True])
def test_torch_files_old_and_new(tmp_path, legacy):
    path = tmp_path / 'w.pth'
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    assert zipfile.is_zipfile(path) != legacy
    state = read_file(path)
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize('name', ['w.safetensors', 'w.pth', 'noextension'])
def test_safetensors_are_known_by_content(tmp_path, name):
    path = tmp_path / name
    save_file(STATE, path)
    state = read_file(path)
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_plain_data_of_training_files_is_rebuilt(tmp_path):
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    content = {
        'state_dict': collections.OrderedDict(STATE),
        'history': history,
        'best': np.float64(0.5),
        'array': np.arange(3),
        'names': np.array(['a', 'b']),
        'flag': np.bool_(True),
        'args': argparse.Namespace(lr=1e-4, out=pathlib.Path('runs')),
        'meta': ConfigDict(classes=('cat', 'dog'), nested=dict(x=1)),
        'set': {1, 2},
        'slice': slice(1, 2),
    }
    path = tmp_path / 'train.pth'
    torch.save(content, path)
    read = read_file(path)
    assert read['history'].mean() == 2.0 and read['history'].statistics('max') == 3.0
    assert read['best'] == 0.5 and read['array'].tolist() == [0, 1, 2]
    assert read['names'].tolist() == ['a', 'b']
    assert read['args'].lr == 1e-4 and str(read['args'].out) == 'runs'
    assert read['meta']['nested']['x'] == 1
    assert read['set'] == {1, 2} and read['slice'] == slice(1, 2)


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('legacy', [False, True])
@pytest.mark.parametrize(
    'function, culprit',
    [(os.mkdir, 'mkdir'), (eval, 'eval'), (exec, 'exec'), (open, 'open')],
)
def test_code_in_a_file_does_not_run(tmp_path, monkeypatch, legacy, function, culprit):
    monkeypatch.chdir(tmp_path)
    argument = 'ran' if function is os.mkdir else "__import__('os').mkdir('ran')"
    args = ('ran', 'w') if function is open else (argument,)
    path = tmp_path / 'evil.pth'
    content = {'state_dict': STATE, 'meta': Calls(function, *args)}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    message = refused(path)
    assert culprit in message and 'could run code' in message
    assert not (tmp_path / 'ran').exists()


def test_attributes_are_not_reachable_through_getattr(tmp_path):
    path = tmp_path / 'evil.pth'
    torch.save({'state_dict': STATE, 'x': Calls(getattr, HistoryBuffer, 'mro')}, path)
    assert 'getattr' in refused(path)


def test_a_plain_pickle_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / 'evil.pkl'
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps({'a': Calls(os.mkdir, 'ran')}, protocol))
        refused(path)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize(
    'content, says',
    [
        (b'', 'empty'),
        (b'<!DOCTYPE html><html>404</html>', 'web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:1', 'git lfs pull'),
        (b'epoch,loss\n1,0.5\n', 'text file'),
        (b'\x1f\x8b\x08\x00 rest', 'gzip'),
        (bytes(range(128, 255)), 'neither a torch nor a safetensors'),
        (b'PK\x03\x04 and then nothing', 'damaged'),
        (b'\x80\x02}q\x00.', 'damaged'),
        ((50).to_bytes(8, 'little') + b'{"a":' + b' ' * 60, 'damaged'),
    ],
)
def test_what_is_no_weight_file(tmp_path, content, says):
    path = tmp_path / 'w.pth'
    path.write_bytes(content)
    assert says in refused(path)


def test_missing_file_and_folder(tmp_path):
    assert 'does not exist' in refused(tmp_path / 'none.pth')
    assert 'is a folder' in refused(tmp_path)


def test_content_that_is_no_dictionary(tmp_path):
    path = tmp_path / 'w.pth'
    torch.save([torch.ones(1)], path)
    assert 'holds a list' in refused(path)


@pytest.mark.filterwarnings('ignore:.*[jJ]it')
@pytest.mark.filterwarnings('ignore:.*TorchScript')
def test_torchscript_is_named(tmp_path):
    path = tmp_path / 'w.pt'
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))
    assert 'TorchScript' in refused(path)


@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_cut_or_flipped_files_never_raise_anything_else(tmp_path, kind):
    whole = tmp_path / 'whole'
    if kind == 'safetensors':
        save_file(STATE, whole)
    else:
        torch.save(
            {'state_dict': STATE, 'h': HistoryBuffer([1.0], [1])},
            whole,
            _use_new_zipfile_serialization=kind == 'zip',
        )
    data = whole.read_bytes()
    path = tmp_path / 'w.pth'
    for size in range(0, len(data) - 1, max(1, len(data) // 40)):
        path.write_bytes(data[:size])
        refused(path)
    rng = np.random.default_rng(0)
    for _ in range(120):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            damaged[position] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:  # a flipped weight cannot be noticed, anything else is one clear error
            read_file(path)
        except CheckpointError as error:
            assert '\n' not in str(error)


def test_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / 'w.pth'
    torch.save(STATE, path)

    def deny(*args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(io, 'open', deny)
    monkeypatch.setattr(pathlib.Path, 'open', deny)
    assert 'cannot read' in refused(path)


@pytest.mark.parametrize('dtype', ['f8', 'f4', 'i8', '?', 'U3', 'O'])
def test_arrays_without_numbers_are_read(tmp_path, dtype):
    """Lists of losses that were empty, say."""
    empty = np.zeros((0, 4), dtype=dtype)
    torch.save({'meta': {'x': empty}, 'state_dict': {}}, tmp_path / 'a.pth')
    read = read_file(tmp_path / 'a.pth')['meta']['x']
    assert read.shape == (0, 4) and read.dtype == empty.dtype
