"""Downloads from a local server: whole, cut, resumed, wrong, absent, in parallel."""

import hashlib
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from glip.checkpoints import download as client
from glip.checkpoints import find_file, load_state_dict, zoo
from glip.errors import CheckpointError


@pytest.fixture(scope='module')
def weights() -> bytes:
    buffer = io.BytesIO()
    state = {'bbox_head.a': torch.arange(60_000.0), 'neck.b': torch.ones(2)}
    torch.save(state, buffer)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Serves ``body``; ``cut`` ends that many first answers early."""

    def __init__(self, body: bytes) -> None:
        super().__init__(('127.0.0.1', 0), Handler)
        self.body, self.ranges, self.cut = body, True, 0
        self.seen: list[str | None] = []

    def url(self, name='w.pth') -> str:
        return f'http://127.0.0.1:{self.server_port}/{name}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *args):
        pass

    def do_GET(self):
        server, asked = self.server, self.headers.get('Range')
        server.seen.append(asked)
        if self.path.startswith('/missing'):
            return self.send_error(404)
        if self.path.startswith('/broken'):
            return self.send_error(503)
        begin = int(asked[6:-1]) if asked and server.ranges else 0
        size = len(server.body)
        if begin >= size:
            self.send_response(416)
            self.send_header('Content-Range', f'bytes */{size}')
            self.send_header('Content-Length', '0')
            return self.end_headers()
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header('Content-Range', f'bytes {begin}-{size - 1}/{size}')
        self.send_header('Content-Length', str(size - begin))
        self.end_headers()
        body = server.body[begin:]
        if server.cut > 0:
            server.cut -= 1
            body = body[: len(body) // 3]
            self.close_connection = True
        self.wfile.write(body)


@pytest.fixture
def server(weights, monkeypatch, tmp_path):
    monkeypatch.setenv('GLIP_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with Server(weights) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def fetch(server, target, name='w.pth', **kwargs):
    return client.fetch_file(server.url(name), target, pause=0.001, **kwargs)


def prefix(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def test_whole_file_then_no_further_request(server, weights, tmp_path):
    target = tmp_path / 'new' / 'w.pth'
    fetch(server, target, sha256_prefix=prefix(weights))
    assert target.read_bytes() == weights
    assert not target.with_name('w.pth.part').exists()
    fetch(server, target, sha256_prefix=prefix(weights))
    assert server.seen == [None]


def test_a_cut_connection_is_resumed_where_it_stopped(server, weights, tmp_path):
    server.cut = 2
    fetch(server, tmp_path / 'w.pth', sha256_prefix=prefix(weights))
    assert (tmp_path / 'w.pth').read_bytes() == weights
    first = len(weights) // 3
    assert server.seen[:2] == [None, f'bytes={first}-'] and len(server.seen) == 3


def test_a_later_call_goes_on_from_the_part(server, weights, tmp_path):
    server.cut = 9
    with pytest.raises(CheckpointError, match=r'cut after .* MB, which are kept'):
        fetch(server, tmp_path / 'w.pth', attempts=2)
    part = tmp_path / 'w.pth.part'
    have = part.stat().st_size
    assert not (tmp_path / 'w.pth').exists() and part.read_bytes() == weights[:have]
    server.cut, server.seen = 0, []
    fetch(server, tmp_path / 'w.pth')
    assert server.seen == [f'bytes={have}-']
    assert (tmp_path / 'w.pth').read_bytes() == weights


def test_a_server_without_ranges_starts_afresh(server, weights, tmp_path):
    server.ranges, server.cut = False, 1
    fetch(server, tmp_path / 'w.pth', sha256_prefix=prefix(weights))
    assert (tmp_path / 'w.pth').read_bytes() == weights


def test_a_part_that_is_complete_or_too_long(server, weights, tmp_path):
    part = tmp_path / 'w.pth.part'
    part.write_bytes(weights)
    fetch(server, tmp_path / 'w.pth', sha256_prefix=prefix(weights))
    assert len(server.seen) == 1
    part = tmp_path / 'v.pth.part'
    part.write_bytes(weights + b'more')
    fetch(server, tmp_path / 'v.pth', sha256_prefix=prefix(weights))
    assert (tmp_path / 'v.pth').read_bytes() == weights


def test_wrong_hash_is_deleted(server, tmp_path):
    with pytest.raises(CheckpointError, match='instead of 01234567; it was deleted'):
        fetch(server, tmp_path / 'w.pth', sha256_prefix='01234567')
    assert not (tmp_path / 'w.pth').exists()
    assert not (tmp_path / 'w.pth.part').exists()


def test_a_page_in_place_of_weights(server, tmp_path):
    server.body = b'<html>please log in</html>'
    with pytest.raises(CheckpointError, match='web page'):
        fetch(server, tmp_path / 'w.pth')
    assert not (tmp_path / 'w.pth').exists()


def test_refusals_of_the_server(server, tmp_path):
    with pytest.raises(CheckpointError, match='404 Not Found') as caught:
        fetch(server, tmp_path / 'w.pth', name='missing')
    assert str(tmp_path / 'w.pth') in str(caught.value)
    assert len(server.seen) == 1
    with pytest.raises(CheckpointError, match='503'):
        fetch(server, tmp_path / 'w.pth', name='broken', attempts=3)
    assert len(server.seen) == 4


def test_no_connection_says_where_to_put_the_file(tmp_path, monkeypatch):
    monkeypatch.setenv('no_proxy', '*')
    target = tmp_path / 'w.pth'
    for url in ('http://127.0.0.1:9/w.pth', 'http://nowhere.invalid/w.pth'):
        with pytest.raises(CheckpointError, match='no connection') as caught:
            client.fetch_file(url, target, attempts=1)
        assert f'put it at {target}' in str(caught.value)
        assert '\n' not in str(caught.value)


def test_a_file_put_there_by_hand_is_checked_once(weights, tmp_path, monkeypatch):
    target = tmp_path / 'w.pth'
    target.write_bytes(weights)
    url = 'http://nowhere.invalid/w.pth'
    assert client.fetch_file(url, target, sha256_prefix=prefix(weights)) == target
    monkeypatch.setattr(client, '_sha256', lambda path: pytest.fail('hashed again'))
    client.fetch_file(url, target, sha256_prefix=prefix(weights))
    monkeypatch.undo()
    target.write_bytes(weights[:-1])
    with pytest.raises(CheckpointError, match='delete it and try again'):
        client.fetch_file(url, target, sha256_prefix=prefix(weights))
    assert target.exists()


def test_many_at_once_download_once(server, weights, tmp_path):
    target = tmp_path / 'w.pth'
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: fetch(server, target), range(6)))
    assert server.seen == [None] and target.read_bytes() == weights


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(CheckpointError, match='set GLIP_CACHE'):
        client.fetch_file('http://127.0.0.1:9/w.pth', tmp_path / 'file' / 'w.pth')


def test_urls_are_sources(server, weights):
    name = f'glip_x-{prefix(weights)}.pth'
    assert load_state_dict(server.url(name)).keys() == {'bbox_head.a', 'neck.b'}
    first, second = find_file(server.url('a/w.pth')), find_file(server.url('b/w.pth'))
    assert first != second and first.name == second.name == 'w.pth'
    with pytest.raises(CheckpointError, match='instead of 01234567'):
        find_file(server.url('w-01234567.pth'))


def test_a_zoo_entry_is_downloaded_into_the_cache(server, weights, tmp_path):
    name = f'w-{prefix(weights)}.pth'
    entry = zoo.ZooEntry(
        'x', 'x.py', url=server.url(name), sha256_prefix=prefix(weights)
    )
    assert zoo.download(entry) == tmp_path / 'cache' / name


def test_the_address_of_a_zoo_entry_shares_its_file(server, weights, monkeypatch):
    entry = zoo.resolve('glip-tiny-a')
    path = client.cache_dir() / 'glip_tiny_a_mmdet-b3654169.pth'
    path.parent.mkdir(parents=True)
    path.write_bytes(weights)
    client._stamp(path)
    assert zoo.fetch(entry.url) == find_file('glip-tiny-a') == path


def test_cache_folder(monkeypatch):
    monkeypatch.setenv('GLIP_CACHE', '~/x')
    assert client.cache_dir().name == 'x' and client.cache_dir().is_absolute()
    monkeypatch.delenv('GLIP_CACHE')
    monkeypatch.setenv('XDG_CACHE_HOME', '/xdg')
    assert str(client.cache_dir()) == '/xdg/glip'
    monkeypatch.delenv('XDG_CACHE_HOME')
    assert client.cache_dir().parts[-2:] == ('.cache', 'glip')
