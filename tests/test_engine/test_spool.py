"""Files of unfinished evaluations keep every whole record, wherever they are cut."""

import os
import pickle
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import pytest

from glip.engine.spool import Spool, delete_spool, read_spool

IDENTITY = {'checkpoint': ('ab', 'weights.pth')}


def entry(number):
    return [[{'img_id': number, 'scores': np.arange(number, dtype=np.float32)}]]


def write(folder, rank, numbers, *, resume=False):
    spool = Spool(folder, rank, IDENTITY, resume=resume)
    for number in numbers:
        spool.add({number: entry(number)})
    spool.close()
    return folder / f'rank_{rank}.spool'


def test_everything_comes_back(tmp_path):
    write(tmp_path, 0, [0, 2, 4])
    write(tmp_path, 11, [1, 3])
    identity, found = read_spool(tmp_path)
    assert identity == IDENTITY
    assert sorted(found) == [0, 1, 2, 3, 4]
    assert found[3][0][0]['img_id'] == 3
    np.testing.assert_array_equal(found[3][0][0]['scores'], [0, 1, 2])
    assert sorted(read_spool(tmp_path, [1, 4, 9])[1]) == [1, 4]


def test_nothing_to_read(tmp_path):
    assert read_spool(tmp_path / 'none') == (None, {})
    (tmp_path / 'rank_0.spool').write_bytes(b'')
    assert read_spool(tmp_path) == (None, {})


def test_a_file_cut_anywhere_keeps_what_is_whole(tmp_path):
    path = write(tmp_path, 0, [5])
    first = path.stat().st_size
    whole = write(tmp_path, 0, [5, 6]).read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        expected = [5] if size >= first else []
        assert sorted(read_spool(tmp_path)[1]) == expected
    # Going on after a cut leaves no gap.
    path.write_bytes(whole[: first + 3])
    write(tmp_path, 0, [7], resume=True)
    identity, found = read_spool(tmp_path)
    assert (identity, sorted(found)) == (IDENTITY, [5, 7])


@pytest.mark.parametrize('place', [-1, 30])
def test_a_damaged_record_ends_the_file(tmp_path, place):
    path = write(tmp_path, 0, [5])
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(data)
    assert read_spool(tmp_path)[1] == {}


def test_a_length_that_cannot_be_reserves_no_memory(tmp_path):
    path = write(tmp_path, 0, [5])
    with path.open('ab') as file:
        file.write((2**60).to_bytes(8, 'little') + bytes(40))
    assert sorted(read_spool(tmp_path)[1]) == [5]


def test_beginning_anew_empties_the_file(tmp_path):
    write(tmp_path, 0, [5, 6])
    write(tmp_path, 0, [7])
    assert sorted(read_spool(tmp_path)[1]) == [7]
    delete_spool(tmp_path)
    assert read_spool(tmp_path) == (None, {})


@dataclass
class Gone:
    """Stands for what an entry was made of in another version."""

    x: int = 1


def test_records_of_code_that_is_gone_are_not_resumed(tmp_path):
    spool = Spool(tmp_path, 0, IDENTITY, resume=False)
    spool.add({1: [[Gone()]]})
    spool.close()
    assert read_spool(tmp_path) == (None, {})


class Canary:
    """What a pickle would call."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_of_somebody_else_is_not_run(tmp_path):
    folder, canary = tmp_path / 'spool', tmp_path / 'canary'
    folder.mkdir()
    data = pickle.dumps(('glip spool 1', Canary(canary)))
    head = struct.pack('<QI', len(data), zlib.crc32(data))
    (folder / 'rank_0.spool').write_bytes(head + data)
    assert read_spool(folder) == (None, {})
    write(folder, 0, [1], resume=True)
    assert not canary.exists()
    assert read_spool(folder)[0] is None or sorted(read_spool(folder)[1]) == [1]


def test_what_a_link_names_is_left_alone(tmp_path):
    victim = tmp_path / 'victim'
    victim.write_text('as it was')
    (tmp_path / 'spool').mkdir()
    (tmp_path / 'spool/rank_0.spool').symlink_to(victim)
    write(tmp_path / 'spool', 0, [1])
    assert victim.read_text() == 'as it was'
    assert sorted(read_spool(tmp_path / 'spool')[1]) == [1]
