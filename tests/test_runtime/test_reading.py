"""Files from disk, whole and line by line."""

import tracemalloc

import pytest

from glip.errors import DatasetError
from glip.runtime import reading
from glip.runtime.reading import check_names, json_lines, listed, read_json


def test_lines_with_their_numbers(tmp_path):
    path = tmp_path / 'a.jsonl'
    path.write_text('{"x": 1}\r\n\n  \n{"x": "ä"}')
    assert list(json_lines(str(path))) == [(1, {'x': 1}), (4, {'x': 'ä'})]
    path.write_text('')
    assert list(json_lines(str(path))) == []


def test_lines_are_not_held_in_memory(tmp_path, monkeypatch):
    path = tmp_path / 'a.jsonl'
    with open(path, 'w') as file:
        file.writelines('{"x": "%s"}\n' % ('y' * 1000) for _ in range(20_000))
    said = []
    monkeypatch.setattr(reading, '_QUIET', -1)
    monkeypatch.setattr(reading, 'print_log', lambda line, **_: said.append(line))
    tracemalloc.start()
    try:
        assert sum(1 for _ in json_lines(str(path))) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert said == [
        f'{path}: {n} lines read, {p}%' for n, p in ((10000, 50), (20000, 100))
    ]


@pytest.mark.parametrize('read', [read_json, lambda path: list(json_lines(path))])
def test_files_that_cannot_be_read(tmp_path, read):
    with pytest.raises(DatasetError, match=r'annotation file not found: .*none'):
        read(str(tmp_path / 'none'))
    with pytest.raises(DatasetError, match='cannot be read: Is a directory'):
        read(str(tmp_path))
    broken = tmp_path / 'broken'
    broken.write_bytes(b'{"x": "\xff"}')
    with pytest.raises(DatasetError, match='JSON'):
        read(str(broken))


def test_names_are_checked():
    check_names(['a', 'b'], ['b', 'a', 'a'], 'f')
    with pytest.raises(DatasetError, match=r"\[persn\] are not in .* mean 'person'"):
        check_names(['persn'], ['car', 'person'], 'f')
    with pytest.raises(DatasetError, match=r'names \[a\] twice'):
        check_names(['a', 'a'], ['a'], 'f')
    with pytest.raises(DatasetError, match='is empty'):
        check_names([], ['a'], 'f')


def test_long_lists_are_cut():
    assert listed(range(3)) == '[0, 1, 2]'
    assert listed(range(10)) == '[0, 1, 2, 3, 4, 5, 6, 7 and 2 more]'
