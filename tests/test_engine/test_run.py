"""How processes of one run come together and part."""

import os
import socket
import subprocess
import sys

SCRIPT = """
import atexit
import torch.distributed as dist
from mmengine.config import Config
from glip.engine.run import start_processes

atexit.register(lambda: print('at the end:', dist.is_initialized()))
for _ in range(2):
    start_processes(Config(dict(launcher='pytorch')))
print('at work:', dist.is_initialized(), dist.get_backend())
"""


def test_processes_part_before_the_interpreter_ends():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    place = dict(RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1')
    done = subprocess.run(
        [sys.executable, '-c', SCRIPT],
        env=os.environ | place | dict(MASTER_PORT=str(port), CUDA_VISIBLE_DEVICES=''),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.strip().splitlines()
    assert lines[-2:] == ['at work: True gloo', 'at the end: False']
