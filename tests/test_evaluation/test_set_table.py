"""The table of many sets: percent to read, plain numbers for programs."""

import csv
import json

import pytest

from glip.errors import ConfigError, DatasetError
from glip.evaluation.set_table import SetRow, SetTable, joined, read_table
from glip.report import plots
from glip.report.figures import draw_bars
from glip.report.plots import plot_sets


def row(name, ap, ap50, **more):
    values = {'coco/bbox_mAP': ap, 'coco/bbox_mAP_50': ap50, 'coco/bbox_mAP_s': -1.0}
    return SetRow(name, values, pictures=2, **more)


@pytest.fixture
def table():
    classes = [{'name': 'cat', 'boxes': 3, 'AP': 0.25, 'AP50': float('nan')}]
    return SetTable(
        (
            row('first', 0.25, 0.5, details={'classes': classes}),
            SetRow('second', absent='/data/second/a.json', details={'split': 'test'}),
            row('third', 0.75, 1.0),
            row('empty', -1.0, -1.0),
        ),
        {'checkpoint': 'x.pth'},
    )


def test_mean_is_over_the_sets_that_have_something_to_find(table):
    assert table.keys == ('coco/bbox_mAP', 'coco/bbox_mAP_50')
    assert table.mean('coco/bbox_mAP') == pytest.approx((0.25 + 0.75) / 2)
    assert table.mean('coco/bbox_mAP_s') is None
    assert (table.counted, table.label) == (2, 'mean of 2 of 4 sets')
    whole = SetTable((row('a', 0.1, 0.2), row('b', 0.3, 0.2)))
    assert whole.label == 'mean of 2 sets'
    assert SetTable(whole.rows[:1]).label == 'mean of 1 set'


def test_markdown(table):
    assert table.markdown().splitlines() == [
        '| set                     | pictures |  AP, % | AP50, % |',
        '|-------------------------|---------:|-------:|--------:|',
        '| first                   |        2 |   25.0 |    50.0 |',
        '| second                  |        - | absent |       - |',
        '| third                   |        2 |   75.0 |   100.0 |',
        '| empty                   |        2 |      - |       - |',
        '| **mean of 2 of 4 sets** |        6 |   50.0 |    75.0 |',
    ]
    assert r'a\|b' in SetTable((row('a|b', 0.1, 0.2),)).markdown()


def test_splits_are_said_where_they_differ():
    def lines(*splits):
        rows = [
            row(f's{i}', 0.1, 0.2, details={'split': s}) for i, s in enumerate(splits)
        ]
        return SetTable(tuple(rows)).markdown()

    assert '| s0 (test) ' in lines('test', 'val') and '| s1 (val) ' in lines('', 'val')
    assert '(' not in lines('val', 'val')


def test_csv(table, tmp_path):
    _, path, _ = table.write(tmp_path)
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [line['set'] for line in lines[:-1]] == [
        *('first', 'second', 'third', 'empty'),
    ]
    assert lines[2]['AP'] == '0.75' and lines[3]['AP'] == ''
    assert lines[1]['absent'] == '/data/second/a.json'
    assert lines[-1] == {
        'set': 'mean of 2 of 4 sets',
        'pictures': '6',
        'AP': '0.5',
        'AP50': '0.75',
        'absent': '',
    }


def test_json_has_class_names_and_no_nan(table, tmp_path):
    table.write(tmp_path / 'run')
    content = json.loads((tmp_path / 'run' / 'sets.json').read_text())
    assert content['checkpoint'] == 'x.pth'
    assert content['mean'] == {'AP': 0.5, 'AP50': 0.75, 'sets': 2, 'of': 4}
    first, second, third, empty = content['sets']
    assert first['classes'] == [{'name': 'cat', 'boxes': 3, 'AP': 0.25, 'AP50': None}]
    assert second == {
        'name': 'second',
        'absent': '/data/second/a.json',
        'split': 'test',
    }
    assert (third['AP'], third['pictures']) == (0.75, 2)
    assert empty['AP'] is None and empty['results']['coco/bbox_mAP'] is None


def test_what_was_written_is_read_and_joined(table, tmp_path):
    for run in ('1', '2'):
        table.write(tmp_path / 'work' / run)
    back = read_table(tmp_path / 'work')
    assert back.markdown() == table.markdown()
    assert back.json() == table.json()
    other = SetTable((row('other', 0.5, 0.5),), {'checkpoint': 'y.pth'})
    both = joined([back, other])
    assert both.label == 'mean of 3 of 5 sets'
    assert [r.details['checkpoint'] for r in both.rows] == ['x.pth'] * 4 + ['y.pth']
    with pytest.raises(DatasetError, match='the set first is in two of the tables'):
        joined([back, back])


def test_recalls_are_percent_already():
    rows = [SetRow(n, {'flickr30k/R@1': 80.0, 'flickr30k/R@5': 90.0}) for n in 'ab']
    lines = SetTable(tuple(rows)).markdown().splitlines()
    assert 'R@1, %' in lines[0] and '80.0' in lines[-1]


def test_any_results_that_all_sets_have():
    rows = (SetRow('a', {'x': 0.123456, 'y': 1.0}), SetRow('b', {'x': 2.0}))
    assert SetTable(rows).keys == ('x',)
    assert '0.1235' in SetTable(rows).markdown()


def test_mistakes_are_one_line(table, tmp_path):
    with pytest.raises(DatasetError, match='has no sets.json'):
        read_table(tmp_path)
    with pytest.raises(DatasetError, match='cannot be read'):
        read_table(tmp_path / 'none.json')
    for text in ('no', '[]', '{"sets": [1]}', '{"sets": [{"results": 1}]}'):
        (tmp_path / 'sets.json').write_text(text)
        with pytest.raises(DatasetError, match='is no table'):
            read_table(tmp_path)
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot write'):
        table.write(tmp_path / 'file' / 'folder')


def test_bars_of_the_sets(table, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        plots,
        'draw_bars',
        lambda bars, *args, **kw: drawn.extend(bars) or draw_bars(bars, *args, **kw),
    )
    plot_sets(table, tmp_path / 'plots')
    assert (tmp_path / 'plots' / 'sets.png').is_file()
    assert drawn == [('first', 2, 25, 50), ('third', 2, 75, 100)]
    # Nothing to draw, and nowhere to draw it: no error.
    plot_sets(SetTable((row('empty', -1.0, -1.0),)), tmp_path / 'none')
    assert not (tmp_path / 'none').exists()
    (tmp_path / 'file').write_text('')
    plot_sets(table, tmp_path / 'file')
