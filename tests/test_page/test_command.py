"""``glip page``: what is wrong is said before anything is served."""

import json
import socket
import sys

import pytest

from glip.cli.app import main
from glip.cli.train import write_config
from glip.page.folder_session import FolderSession


@pytest.fixture
def taken_port():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        return server.getsockname()[1]


def one_line(capsys):
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith('error: ')
    return line


def test_bad_input_is_one_line(
    taken_port, free_port, pictures, model, tmp_path, capsys
):
    pytest.importorskip('gradio')
    (tmp_path / 'file').write_text('no folder')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'none.json').write_text('[1, 2]')
    of_folder = ['page', '--folder', str(pictures)]
    for words in (
        ['page', '--port', str(taken_port)],
        ['page', '--host', 'no.such.host.invalid'],
        ['page', '--text', 'red'],
        [*of_folder, '--out', str(tmp_path / 'file' / 'boxes.json')],
        [*of_folder, '--out', str(tmp_path / 'none.json')],
        [
            'page',
            '--folder',
            str(tmp_path / 'empty'),
            '--out',
            str(tmp_path / 'o.json'),
        ],
        [*of_folder, '--text', '. .'],
    ):
        if '--port' not in words:
            words = [*words, '--port', str(free_port)]
        assert main([*words, '--model', model[0], '--weights', model[1]]) == 1, words
        one_line(capsys)


def test_without_the_extra_the_message_names_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'gradio', None)
    assert main(['page']) == 1
    assert 'glip[page]' in one_line(capsys)


def test_what_was_accepted_is_trained_on(kept, pictures, tmp_path):
    path = pictures / 'annotations.json'
    session = FolderSession(pictures, path, kept, 'red. blue', 0.05)
    for index in range(3):
        session.open(index)
        session.accept(index)
    assert len(json.loads(path.read_text())['annotations']) == 3

    from mmengine.config import Config

    from glip.config import resolve
    from glip.registry import DATASETS

    config = write_config(path, 'glip-nano', 1, 1, tmp_path / 'work')
    cfg = resolve(Config.fromfile(config))
    data_set = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[]))
    assert len(data_set) == 3 and data_set.metainfo['classes'] == ('red', 'blue')
