"""Tables and the curve of self-training."""

import csv

from PIL import Image

from glip.report.rounds import Round, draw_rounds, write_rounds

METRIC = 'phrases/flickr30k/R@1'
ROUNDS = [
    Round(0, None, {METRIC: 60.0, 'boxes/coco/bbox_mAP': 0.25, 'other': 1.0}),
    Round(
        *(1, 'base', {METRIC: 62.5, 'boxes/coco/bbox_mAP': 0.241, 'other': 2.0}),
        *(True, dict(pictures=800, phrases=90, boxes=70)),
    ),
    Round(2, 'student 1', {METRIC: 61.0, 'boxes/coco/bbox_mAP': -1.0}, won=False),
]


def test_the_table_says_who_labelled_for_whom_and_who_won(tmp_path):
    write_rounds(ROUNDS, tmp_path, METRIC, best='x.pth')
    rows = [
        [cell.strip() for cell in line.strip('|').split('|')]
        for line in (tmp_path / 'rounds.md').read_text().splitlines()
    ]
    assert rows[2:] == [
        ['first teacher', '-', '-', '-', '-', '60.0', '25.0', '-'],
        ['student 1', 'base', '800', '90', '70', '62.5', '24.1', 'yes'],
        ['student 2', 'student 1', '-', '-', '-', '61.0', '-', 'no'],
    ]


def test_the_csv_has_results_as_they_are(tmp_path):
    write_rounds(ROUNDS, tmp_path, METRIC, best='x.pth')
    with (tmp_path / 'rounds.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['won'] for row in rows] == ['', 'True', 'False']
    assert rows[1]['boxes/coco/bbox_mAP'] == '0.241'
    assert rows[1]['phrases'] == '90'


def test_the_curve_is_a_picture(tmp_path):
    with Image.open(draw_rounds(ROUNDS, tmp_path, METRIC)) as picture:
        assert picture.width > 300 and len(set(picture.convert('L').getdata())) > 10
