"""Results of tasks become one table."""

import csv
import io
import json
import math

import pytest
from PIL import Image

from glip.errors import DatasetError
from glip.teach.few_shot.figure import draw_efficiency
from glip.teach.few_shot.results import FewShotTable, Result


def result(name, shots, ap, tuning=None, seed=None, **more):
    values = dict(AP50=2 * ap, tested='test split, 4 pictures', annotations='x')
    return Result(
        set=name, shots=shots, AP=ap, tuning=tuning, seed=seed, **(values | more)
    )


@pytest.fixture
def table():
    return FewShotTable(
        (
            result('cats', 0, 0.10),
            result('dogs', 0, 0.20),
            result('cats', 1, 0.20, 'full', 3, short={'paw': 0}),
            result('cats', 1, 0.30, 'full', 30),
            result('dogs', 1, 0.30, 'full', 3),
            result('dogs', 1, 0.46, 'full', 30),
            result('cats', 'all', 0.60, 'full', 3),
            result('cats', 1, 0.15, 'prompt', 3),
        ),
        {'weights': 'mine'},
        ('birds failed: no reason',),
    )


def test_mean_and_spread_over_seeds(table):
    cell = table.cell('cats', 'full', 1)
    assert cell.mean() == pytest.approx(0.25)
    assert cell.spread() == pytest.approx(math.sqrt(2) * 0.05)
    assert table.cell('cats', 'full', 'all').spread() is None
    assert table.cell('cats', 'prompt', 0).mean() == pytest.approx(0.10)


def test_the_mean_over_sets_needs_all_of_them(table):
    curve = table.curve('full')
    assert curve.shots == (0, 1)  # dogs have no result of all pictures
    assert curve.means == pytest.approx((0.15, 0.315))
    # By seed 0.25 and 0.38.
    assert curve.spreads[0] is None
    assert curve.spreads[1] == pytest.approx(0.13 / math.sqrt(2))
    assert table.curve('prompt').shots == (0,)
    assert table.curve('full', ['cats']).shots == (0, 1, 'all')


def test_markdown_is_laid_out_as_in_the_paper(table):
    lines = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in table.markdown().splitlines()
        if line.startswith('|')
    ]
    assert lines[0] == ['set', 'tuning', '0', '1', 'all']
    assert lines[2] == ['cats', 'full', '10.0', '25.0 ± 7.1', '60.0']
    assert lines[3] == ['cats', 'prompt', '10.0', '15.0', '-']
    assert lines[6][1:] == ['full', '15.0', '31.5 ± 9.2', '-']
    assert 'only 0 pictures show paw' in table.markdown()
    assert 'birds failed: no reason' in table.markdown()


def test_files_hold_the_same(table, tmp_path):
    paths = table.write(tmp_path / 'out')
    assert [p.name for p in paths] == ['few_shot.md', 'few_shot.csv', 'few_shot.json']
    rows = list(csv.DictReader(io.StringIO(paths[1].read_text())))
    assert len(rows) == 6
    (row,) = [r for r in rows if r['set'] == 'dogs' and r['shots'] == '1']
    assert (row['tuning'], row['seeds']) == ('full', '2')
    assert float(row['AP']) == pytest.approx(0.38)
    assert float(row['AP50']) == pytest.approx(0.76)
    content = json.loads(paths[2].read_text())
    assert content['weights'] == 'mine' and len(content['results']) == 8
    assert content['mean'][1]['AP'] == pytest.approx(0.315)


def test_a_result_is_read_as_it_was_written(tmp_path):
    assert Result.read(tmp_path) is None
    before = result('cats', 'all', 0.5, 'full', 3, short={'paw': 2}, weights='a.pth')
    before.write(tmp_path)
    assert Result.read(tmp_path) == before
    (tmp_path / 'result.json').write_text('{"set": "cats"}')
    with pytest.raises(DatasetError):
        Result.read(tmp_path)


def test_the_curve_is_drawn(table, tmp_path):
    path = draw_efficiency(table, tmp_path / 'curve.png')
    width, height = Image.open(path).size
    assert width > height > 100  # a panel for the mean and one for each set
    only = FewShotTable(table.results[:2])
    assert draw_efficiency(only, tmp_path / 'none.png') is None
