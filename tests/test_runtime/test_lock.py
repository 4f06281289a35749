"""A second writer is told so at once; what is left of a first is in nobody's way."""

import os
import signal
import subprocess
import sys

import pytest

from glip.errors import ConfigError
from glip.runtime.lock import only_writer

_HOLD = """
import sys, time
from pathlib import Path
from glip.errors import ConfigError
from glip.runtime.lock import only_writer
with only_writer(Path(sys.argv[1]), 'taken', ConfigError):
    print('held', flush=True)
    time.sleep(600)
"""


def test_the_second_is_told(tmp_path):
    lock = tmp_path / '.x.lock'
    with only_writer(lock, 'another is there', ConfigError):
        with pytest.raises(ConfigError, match='^another is there$'):
            with only_writer(lock, 'another is there', ConfigError):
                pytest.fail('both hold it')
        assert lock.exists()
    assert not lock.exists()
    with only_writer(lock, '', ConfigError):
        pass


def test_a_killed_process_holds_nothing(tmp_path):
    lock = tmp_path / '.x.lock'
    holder = subprocess.Popen(
        [sys.executable, '-c', _HOLD, str(lock)],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    try:
        assert holder.stdout.readline().strip() == b'held'
        with pytest.raises(ConfigError, match='taken'):
            with only_writer(lock, 'taken', ConfigError):
                pytest.fail('both hold it')
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with only_writer(lock, 'taken', ConfigError):
        pass


def test_a_link_or_folder_in_its_place(tmp_path):
    victim = tmp_path / 'victim'
    victim.write_text('as it was')
    (tmp_path / 'link').symlink_to(victim)
    with only_writer(tmp_path / 'link', '', ConfigError):
        pass
    assert victim.read_text() == 'as it was'
    (tmp_path / 'folder').mkdir()
    with pytest.raises(ConfigError, match='folder'):
        with only_writer(tmp_path / 'folder', '', ConfigError):
            pass
