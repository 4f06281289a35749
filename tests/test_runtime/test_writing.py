"""Tables and files of results, and the places they may be written to."""

import csv
import os

import pytest

from glip.errors import ConfigError
from glip.runtime.writing import check_place, csv_text, write_csv


@pytest.mark.parametrize('text', ['=HYPERLINK("x")', '+1+cmd', '-a', '@SUM(1)', '\t=1'])
def test_texts_are_no_formulas(text, tmp_path):
    path = write_csv(tmp_path / 'a.csv', ['name', text], [[text, 1.5]])
    with path.open(newline='') as file:
        head, row = csv.reader(file)
    assert head[1] == row[0] == f"'{text}"


@pytest.mark.parametrize('value', ['-0.5', '+1e3', '-', 'a=b', '', -0.5, None, 3])
def test_numbers_and_other_texts_stay(value):
    expected = '' if value is None else str(value)
    assert next(csv.reader([csv_text([[value, 'x']])])) == [expected, 'x']


def test_places_that_can_be_written_to(tmp_path):
    (tmp_path / 'old').write_text('')
    (tmp_path / 'link').symlink_to('/dev/full')
    for name in ('new', 'old', 'link', 'deep/er/new'):
        check_place(tmp_path / name)
    assert not (tmp_path / 'deep').exists()


def test_places_that_cannot(tmp_path):
    (tmp_path / 'file').write_text('')
    os.mkfifo(tmp_path / 'pipe')
    for path in ('', 'file/x', 'file/x/y', 'pipe', '/dev/null', '/dev/null/x'):
        with pytest.raises(ConfigError):
            check_place(tmp_path / path)
