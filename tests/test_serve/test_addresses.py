"""Addresses are fetched only where that is allowed, and never from within."""

from __future__ import annotations

import http.server
import json
import threading

import anyio
import pytest
from sent_pictures import base64_of, png

from glip.serve import addresses
from glip.serve.addresses import Fetcher, is_public
from glip.serve.limits import Limits
from glip.serve.refusals import BadPicture


class Handler(http.server.BaseHTTPRequestHandler):
    """Pictures, redirects and endless answers; remembers who asked."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get('Authorization')))
        if self.path.startswith('/data/to/'):
            self.send_response(302)
            self.send_header('Location', self.path.removeprefix('/data/to/'))
            self.end_headers()
        elif self.path == '/data/endless':
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b'0' * 65536)
            except OSError:
                return
        elif self.path in ('/data/a.png', '/data/with%20space.png', '/page'):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(png())
        else:
            self.send_error(404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        self.server.asked.append((self.path, body))
        self.send_response(200 if body['refresh'] == 'a.b.c' else 401)
        self.end_headers()
        self.wfile.write(json.dumps({'access': 'short'}).encode())

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.asked = []
    server.address = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(fetcher, url, hold=lambda count: None):
    return anyio.run(fetcher, url, hold)


@pytest.mark.parametrize(
    'address, public',
    [
        ('8.8.8.8', True),
        ('2606:4700::1111', True),
        ('127.0.0.1', False),
        ('127.8.8.8', False),
        ('0.0.0.0', False),
        ('10.1.2.3', False),
        ('172.16.0.1', False),
        ('192.168.1.1', False),
        ('169.254.169.254', False),
        ('100.64.0.1', False),
        ('224.0.0.1', False),
        ('255.255.255.255', False),
        ('::1', False),
        ('::', False),
        ('fe80::1%eth0', False),
        ('fc00::1', False),
        ('::ffff:127.0.0.1', False),
        ('::ffff:8.8.8.8', False),
        ('64:ff9b::7f00:1', False),
        ('2002:7f00:1::', False),
        ('2001:0:4136:e378:8000:63bf:3fff:fdd2', False),
        ('ff02::1', False),
    ],
)
def test_public_addresses(address, public):
    assert is_public(address) is public


def test_nothing_is_fetched_unless_allowed(site):
    with pytest.raises(BadPicture, match='--allow-urls'):
        fetch(Fetcher(), f'{site.address}/data/a.png')
    assert site.asked == []


@pytest.mark.parametrize(
    'form',
    ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '127.1', '2130706433', '0x7f.1'],
)
def test_own_machine_in_all_its_forms(site, form):
    url = f'http://{form}:{site.server_port}/data/a.png'
    with pytest.raises(BadPicture):
        fetch(Fetcher(allow_urls=True), url)
    assert site.asked == []


@pytest.mark.parametrize(
    'url',
    [
        'ftp://example.org/a.png',
        'file:///etc/passwd',
        'http://',
        'http://user:password@example.org/',
        'http://example.org:99999/',
        'http://[::1/',
    ],
)
def test_addresses_that_are_none(url):
    with pytest.raises(BadPicture):
        fetch(Fetcher(allow_urls=True), url)


@pytest.fixture
def all_public(monkeypatch):
    """The machine's own addresses count as public but one."""
    monkeypatch.setattr(addresses, 'is_public', lambda address: address != '127.0.0.9')


def test_fetching(site, all_public):
    fetcher = Fetcher(allow_urls=True)
    assert fetch(fetcher, f'{site.address}/data/a.png') == png()
    assert fetch(fetcher, f'{site.address}/data/with space.png') == png()
    assert fetch(fetcher, f'{site.address}/data/to//data/a.png') == png()
    assert site.asked[0] == ('/data/a.png', None)


def test_redirects_are_checked_again(site, all_public):
    fetcher = Fetcher(allow_urls=True)
    inner = f'{site.address}/data/to/http://127.0.0.9:{site.server_port}/data/a.png'
    with pytest.raises(BadPicture, match='not a public address'):
        fetch(fetcher, inner)
    assert len(site.asked) == 1
    circle = f'{site.address}/data/to/' + '/data/to/' * 20
    with pytest.raises(BadPicture, match='redirects'):
        fetch(fetcher, circle)


def test_answers_that_are_no_picture(site, all_public):
    fetcher = Fetcher(allow_urls=True)
    with pytest.raises(BadPicture, match='404'):
        fetch(fetcher, f'{site.address}/nothing')
    with pytest.raises(BadPicture):
        fetch(fetcher, 'http://127.0.0.1:9/')


def test_label_studio(site):
    """Its pictures are fetched with the token, and nothing else of it."""
    fetcher = Fetcher(label_studio=site.address + '/', token='secret')
    assert fetch(fetcher, '/data/a.png') == png()
    assert fetch(fetcher, f'{site.address}/data/a.png') == png()
    assert site.asked == [('/data/a.png', 'Token secret')] * 2
    others = '/page', '/data/../page', '/data/%2e%2e/page', '//127.0.0.9/data/a.png'
    for other in (*others, f'{site.address}/page'):
        with pytest.raises(BadPicture):
            fetch(fetcher, other)
    away = f'/data/to/http://localhost:{site.server_port}/data/a.png'
    with pytest.raises(BadPicture, match='--allow-urls'):
        fetch(fetcher, away)
    assert len(site.asked) == 3


def test_personal_tokens_of_label_studio(site):
    """They are exchanged for short ones, once for many pictures."""
    fetcher = Fetcher(label_studio=site.address, token='a.b.c')
    for _ in range(2):
        assert fetch(fetcher, '/data/a.png') == png()
    exchange = ('/api/token/refresh/', {'refresh': 'a.b.c'})
    assert site.asked == [exchange] + [('/data/a.png', 'Bearer short')] * 2
    with pytest.raises(BadPicture, match='LABEL_STUDIO_API_KEY'):
        fetch(Fetcher(label_studio=site.address, token='x.y.z'), '/data/a.png')


def test_through_the_server(client_of, colours, site):
    fetcher = Fetcher(label_studio=site.address)
    client = client_of(colours, fetcher=fetcher, limits=Limits(body=100_000))
    body = {'text': 'red'}
    url = f'{site.address}/data/a.png'
    answer = client.post('/v1/detect', json=body | {'image': url})
    assert answer.json()['detections'][0]['label_names'] == ['red']
    endless = f'{site.address}/data/endless'
    answer = client.post('/v1/detect', json=body | {'image': endless})
    assert answer.status_code == 413
    small = {'image': base64_of(png())} | body
    assert client.post('/v1/detect', json=small).status_code == 200
