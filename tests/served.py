"""A server in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_START = 120  # seconds for a model to load on a busy machine


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


class Server:
    """``glip serve`` as a process; a context manager that kills it."""

    def __init__(self, port: int, *words: str) -> None:
        self.port = port
        command = [sys.executable, '-m', 'glip', 'serve', '--port', str(port), *words]
        path = os.pathsep.join([str(_ROOT), os.environ.get('PYTHONPATH', '')])
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'},
        )

    def __enter__(self) -> Server:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get('/health')[0] == 200:
                    return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise AssertionError(self.process.communicate()[1])

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def get(self, path: str) -> tuple[int, dict]:
        """Status and JSON of an answer."""
        return self._ask('GET', path, None)

    def post(self, path: str, body: object) -> tuple[int, dict]:
        return self._ask('POST', path, json.dumps(body))

    def connect(self) -> socket.socket:
        return socket.create_connection(('127.0.0.1', self.port), timeout=60)

    def stop(self) -> tuple[int, str]:
        """Exit code and standard error after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        error = self.process.communicate(timeout=60)[1]
        return self.process.returncode, error

    def _ask(self, method: str, path: str, body: str | None) -> tuple[int, dict]:
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=60)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()
