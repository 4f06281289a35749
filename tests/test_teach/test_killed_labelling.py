"""What is written does not depend on who was killed, when, nor on who helped."""

import shutil
import signal
import time
from collections import Counter

import pytest
from killed_labelling import files_of, label_source, start, write_source

LOG = 'TEACHER_LOG'


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    write_source(folder)
    return folder


@pytest.fixture(scope='module')
def undisturbed(source, tmp_path_factory):
    out = tmp_path_factory.mktemp('whole')
    label_source(source, out)
    files = files_of(out)
    assert {'labels.jsonl', 'summary.json', 'summary.html'} < set(files)
    assert not any('progress' in name for name in files)
    return files


# Files get their names in this order: settings; records and statistics of three shares;
# the joined file and the summary.
MOMENTS = [('line', n) for n in (0, 2, 4, 7)] + [
    (when, n) for n in range(9) for when in ('before', 'after')
]


@pytest.mark.slow
@pytest.mark.parametrize('moment, number', MOMENTS)
def test_killed_at_every_step(source, undisturbed, tmp_path, moment, number):
    process = start(source, tmp_path / 'out', moment=moment, number=number)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    labels = label_source(source, tmp_path / 'out')
    assert files_of(tmp_path / 'out') == undisturbed
    assert labels.summary['pictures'] == 7


def test_killed_again_and_again(source, undisturbed, tmp_path):
    """Each attempt gets two lines or files further."""
    codes = []
    for attempt in range(20):
        moment, number = ('line', 2) if attempt % 2 else ('after', 1)
        process = start(source, tmp_path, moment=moment, number=number)
        process.join()
        codes.append(process.exitcode)
        if process.exitcode == 0:
            break
    assert set(codes[:-1]) == {-signal.SIGKILL} and codes[-1] == 0
    assert len(codes) > 3
    assert files_of(tmp_path) == undisturbed


def test_tar_files_after_a_kill(source, tmp_path):
    label_source(source, tmp_path / 'whole', to_shards=True)
    process = start(source, tmp_path / 'out', moment='line', number=4, to_shards=True)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    label_source(source, tmp_path / 'out', to_shards=True)
    assert files_of(tmp_path / 'out') == files_of(tmp_path / 'whole')


def test_two_at_once_do_everything_once(source, undisturbed, tmp_path):
    log = tmp_path / 'log.txt'
    environment = {LOG: str(log), 'TEACHER_SECONDS': '0.05'}
    both = [start(source, tmp_path / 'out', environment=environment) for _ in range(2)]
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert files_of(tmp_path / 'out') == undisturbed
    captions = log.read_text().splitlines()
    # 3 pictures have the first alone, and so on; none was asked twice.
    assert sorted(Counter(captions).values()) == [2, 4, 7]


def test_a_survivor_takes_over_what_the_dead_was_at(source, undisturbed, tmp_path):
    out = tmp_path / 'out'
    environment = {'TEACHER_SECONDS': '0.3'}
    victim = start(source, out, environment=environment)
    deadline = time.monotonic() + 120
    while not list(out.glob('progress/*.part')) and time.monotonic() < deadline:
        time.sleep(0.02)
    survivor = start(source, out)
    time.sleep(0.5)
    victim.kill()
    survivor.join()
    assert survivor.exitcode == 0
    assert files_of(out) == undisturbed


def test_a_full_disk_loses_nothing(source, undisturbed, tmp_path, monkeypatch):
    from glip.errors import DatasetError
    from glip.teach.pseudo_labels.workspace import Lines

    add, count = Lines.add, 0

    def no_room(self, line):
        nonlocal count
        count += 1
        if count == 5:
            self._file.write(b'{"records": [')
            self._file.flush()
            raise OSError(28, 'No space left on device')
        add(self, line)

    monkeypatch.setattr(Lines, 'add', no_room)
    with pytest.raises(DatasetError, match='No space left.*same command'):
        label_source(source, tmp_path)
    monkeypatch.undo()
    label_source(source, tmp_path)
    assert files_of(tmp_path) == undisturbed
    shutil.rmtree(tmp_path)
