"""``glip serve``: what is wrong is said in one line, before a model is loaded."""

from __future__ import annotations

import socket
import sys

import pytest

from glip.cli.app import main


@pytest.fixture(autouse=True)
def _no_model(monkeypatch):
    import glip.apis

    def load(*args, **kwargs):
        raise AssertionError('a model is loaded')

    monkeypatch.setattr(glip.apis, 'load', load)


@pytest.fixture
def error_of(capsys):
    """Run the command; give its one line."""

    def run(*words):
        assert main(['serve', *words]) == 1
        out, err = capsys.readouterr()
        (line,) = err.splitlines()
        assert line.startswith('error: ') and not out
        return line

    return run


def test_a_port_that_is_taken(error_of):
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = str(other.getsockname()[1])
        assert port in error_of('--port', port)


def test_a_host_of_another_machine(error_of):
    error_of('--host', '192.0.2.1', '--port', '0')
    error_of('--host', 'no such host', '--port', '0')


@pytest.mark.parametrize('module', ['fastapi', 'uvicorn', 'python_multipart'])
def test_the_extra_is_named(error_of, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    assert 'glip[serve]' in error_of('--port', '0')


@pytest.mark.parametrize('key', ['', ' ', 'two words', 'schlüssel', 'a\tb'])
def test_keys_that_no_header_carries(error_of, monkeypatch, key):
    monkeypatch.setenv('GLIP_API_KEY', key)
    assert 'GLIP_API_KEY' in error_of('--port', '0')


@pytest.mark.parametrize(
    'words',
    [
        ['--max-body', '0'],
        ['--max-body', 'nan'],
        ['--max-pixels', '-1'],
        ['--max-pixels', 'inf'],
        ['--window', 'nan'],
        ['--window', '-1'],
        ['--timeout', 'nan'],
        ['--queue', '3'],
        ['--max-memory', '1'],
        ['--text', ''],
        ['--label-studio', 'localhost:8080'],
    ],
)
def test_bad_flags(error_of, words):
    error_of('--port', '0', *words)
