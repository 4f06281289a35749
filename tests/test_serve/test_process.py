"""A server process among clients that misbehave, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sent_pictures import base64_of
from served import Server, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name != 'posix', reason='signals of POSIX'),
]
_DEMO = Path(__file__).resolve().parents[2] / 'demo' / 'demo.jpg'
WORDS = 'bench. car'


@pytest.fixture(scope='module')
def expected():
    """What the detector finds when it is called."""
    import glip

    return glip.load('glip-nano', device='cpu')(str(_DEMO), WORDS).to_dict()


@pytest.fixture(scope='module')
def server():
    with Server(free_port(), '--device', 'cpu', '--timeout', '3') as server:
        yield server


@pytest.fixture
def body():
    return {'image': base64_of(_DEMO.read_bytes()), 'text': WORDS}


def check(server, body, expected):
    status, answer = server.post('/v1/detect', body)
    assert status == 200
    assert answer['detections'] == [expected | {'image': None}]


def test_an_answer_is_that_of_a_call(server, body, expected):
    check(server, body, expected)


def head(length, path='/v1/detect'):
    return (
        f'POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n'.encode()
    )


def test_slow_clients_hold_up_nobody_and_are_let_go(server, body, expected):
    begun = [server.connect() for _ in range(20)]
    for number, connection in enumerate(begun):
        connection.sendall(
            (b'', b'GET / HTT', head(1000), head(1000) + b'{')[number % 4]
        )
    check(server, body, expected)
    answers = [connection.recv(1000) for connection in begun]
    for number, answer in enumerate(answers):
        # Without a head there is nobody to answer to.
        assert (b' 408 ' in answer) == (number % 4 > 1)
    check(server, body, expected)


def test_clients_that_do_not_read_are_let_go(server, body, expected):
    """Requests are sent over and over; no answer is ever read."""
    with server.connect() as connection:
        request = b'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'
        connection.settimeout(30)
        with pytest.raises(ConnectionError):
            while True:
                connection.sendall(request * 1000)
    check(server, body, expected)


def test_clients_that_go_away(server, body, expected):
    data = json.dumps(body).encode()
    for part in (len(data) // 2, len(data)):
        for _ in range(5):
            with server.connect() as connection:
                connection.sendall(head(len(data)) + data[:part])
    check(server, body, expected)
    assert server.get('/health')[1]['queue'] == 0


def test_the_port_is_taken(server):
    words = [sys.executable, '-m', 'glip', 'serve', '--port', str(server.port)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: ') and str(server.port) in line


def test_killed_under_load_and_started_again(body, expected):
    port = free_port()
    with Server(port, '--device', 'cpu') as server:

        def ask():
            try:
                server.post('/v1/detect', body)
            except OSError:
                pass

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        for thread in threads:
            thread.join()
    with Server(port, '--device', 'cpu') as server:
        check(server, body, expected)
        answers = []
        last = threading.Thread(
            target=lambda: answers.append(server.post('/v1/detect', body))
        )
        last.start()
        while (
            not answers and server.get('/health')[1]['queue'] == 0 and last.is_alive()
        ):
            pass
        code, error = server.stop()
        last.join()
        assert code == 0 and 'Traceback' not in error
        assert [status for status, _ in answers] == [200]  # what was begun is answered
