"""The load test runs, and every answer is right."""

import json
import os

import pytest

pytest.importorskip('fastapi')
from served import free_port

from benchmarks import serve_load

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='memory is read there'),
]


def test_load(capsys):
    words = ['--clients', '8', '--seconds', '5', '--port', str(free_port())]
    assert serve_load.main(words) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary['wrong'] == 0 and not summary['died'] and summary['detections']
