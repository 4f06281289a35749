"""Plots, tables and pages of an evaluation."""

import csv
import json
import re

import coco_folder
import numpy as np
import predictions
import pytest
from mmengine.structures import InstanceData
from PIL import Image

from glip.datasets import CocoDataset
from glip.datasets.concat import ConcatDataset
from glip.errors import ConfigError, DatasetError
from glip.report.plots import PlotsMetric, write_plots

FIGURES = ('pr_curves.png', 'class_ap.png', 'confusion_matrix.png')


def rows(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    path = coco_folder.write(tmp_path / 'data')
    return path, json.loads(path.read_text())


def dataset_of(path):
    return CocoDataset(
        ann_file=str(path),
        data_prefix={'img': str(path.parent)},
        test_mode=True,
        pipeline=[],
    )


def check(out):
    """Everything is there and can be read."""
    for name in FIGURES:
        with Image.open(out / name) as image:
            assert image.width > 300 and image.height > 150
            colours = image.convert('RGB').getcolors(2**24)
            assert colours is not None and len(colours) > 3
    page = (out / 'worst' / 'index.html').read_text()
    assert page.count('<article') == page.count('</article>') > 0
    return page, json.loads((out / 'summary.json').read_text())


def test_perfect_predictions_are_perfect(folder, tmp_path):
    path, data = folder
    files = write_plots(predictions.perfect(data), path, tmp_path / 'out')
    page, summary = check(tmp_path / 'out')
    assert files[0] == tmp_path / 'out' / 'worst' / 'index.html'
    assert all(file.is_file() for file in files)
    assert summary['found'] == 8 and summary['missed'] == 0
    assert [one['AP'] for one in summary['classes']] == [1, 1, 1]
    assert summary['most_confused'] == []
    assert 'AP, AP50, AP75' in page and '100.0, 100.0, 100.0' in page


def test_mistakes_are_told_apart(folder, tmp_path):
    path, data = folder
    found = predictions.perfect(data)
    first = found[0]['pred_instances']
    first['labels'][0] = 2  # red is found as blue
    found[1] = predictions.sample(2, [], [], [])
    found[2]['pred_instances']['bboxes'][0] += 200
    dataset = dataset_of(path)
    write_plots(found, dataset, tmp_path / 'out', score_thr=0.3)
    page, summary = check(tmp_path / 'out')
    assert summary['found'] == 4 and summary['taken_for_another'] == 1
    assert summary['missed'] == 3 and summary['false_alarms'] == 1
    assert summary['most_confused'] == [{'true': 'red', 'found': 'blue', 'count': 1}]
    for words in ('blue: missed', 'green: missed', 'blue: is red', 'false alarm'):
        assert words in page
    # The picture in which nothing is found comes first.
    assert re.findall(r'<h2>(\d).png', page)[0] == '1'
    matrix = rows(tmp_path / 'out' / 'confusion_matrix.csv')
    assert {'true': 'red', 'found': 'blue', 'count': '1'} in matrix
    assert sum(int(r['count']) for r in matrix if r['true'] != 'background') == 8
    classes = rows(tmp_path / 'out' / 'classes.csv')
    assert [row['class'] for row in classes] == ['red', 'green', 'blue']
    assert sum(int(row['missed']) for row in classes) == 3


def test_by_default_the_threshold_suits_the_data(folder, tmp_path):
    path, data = folder
    found = predictions.perfect(data)
    for sample in found:
        sample['pred_instances']['scores'] *= 0.1
    write_plots(found, path, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    assert summary['found'] == 8
    assert 'score from 0.08, IoU from 0.5' in summary['facts']


def test_one_class_without_any_detection(tmp_path):
    data = coco_folder.content(num_images=2)
    data['categories'] = data['categories'][:1]
    data['annotations'] = [a for a in data['annotations'] if a['category_id'] == 1]
    path = coco_folder.write(tmp_path / 'data', data)
    nothing = [predictions.sample(i, [], [], []) for i in (1, 2)]
    write_plots(nothing, path, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    assert summary['missed'] == 1 and summary['classes'][0]['AP'] == 0


def test_pictures_without_boxes(tmp_path):
    data = coco_folder.content(num_images=2)
    data['annotations'] = []
    path = coco_folder.write(tmp_path / 'data', data)
    write_plots(predictions.perfect(data), path, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    assert [one['AP'] for one in summary['classes']] == [None] * 3


def test_1203_classes_stay_readable(tmp_path):
    rng = np.random.default_rng(0)
    data = coco_folder.content(num_images=3)
    names = [f'thing {i} $_with a rather long name_$' for i in range(1203)]
    data['categories'] = [{'id': i + 1, 'name': n} for i, n in enumerate(names)]
    for image in data['images']:
        image.update(width=600, height=400)
    data['annotations'] = [
        {
            'id': i + 1,
            'image_id': i % 3 + 1,
            'category_id': i + 1,
            'bbox': [*rng.uniform(0, 300, 2), 60, 50],
            'area': 3000,
            'iscrowd': 0,
        }
        for i in range(1000)
    ]
    path = coco_folder.write(tmp_path / 'data', data)
    found = predictions.perfect(data)
    for sample in found:
        labels = sample['pred_instances']['labels']
        labels[:40] = (labels[:40] + 1) % 1203
    write_plots(found, path, tmp_path / 'out', worst=2)
    page, summary = check(tmp_path / 'out')
    for name in FIGURES:
        with Image.open(tmp_path / 'out' / name) as image:
            assert max(image.size) < 3000
    assert len(rows(tmp_path / 'out' / 'classes.csv')) == 1203
    assert len(summary['most_confused']) == 50
    assert page.count('<article') == 2


def test_lvis_leaves_out_what_nobody_looked_for(tmp_path):
    data = coco_folder.content(num_images=2)
    for image in data['images']:
        image.update(neg_category_ids=[], not_exhaustive_category_ids=[])
    path = coco_folder.write(tmp_path / 'data', data)
    found = predictions.perfect(data)
    # Picture 1 shows classes 0 and 1; of class 2 nothing is known there.
    wrong = predictions.sample(1, [[40, 30, 60, 45]], [0.95], [2])
    for field, value in wrong['pred_instances'].items():
        own = found[0]['pred_instances']
        own[field] = np.concatenate([value, own[field]])
    write_plots(found, path, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    assert summary['false_alarms'] == 0
    assert [one['AP'] for one in summary['classes']] == [1, 1, 1]
    data['images'][0]['neg_category_ids'] = [3]
    path.write_text(json.dumps(data))
    write_plots(found, path, tmp_path / 'out')
    assert check(tmp_path / 'out')[1]['false_alarms'] == 1


def test_parts_of_joined_data_have_folders_of_their_own(tmp_path):
    paths = [coco_folder.write(tmp_path / name) for name in ('one', 'two')]
    data = json.loads(paths[0].read_text())
    joined = ConcatDataset([dataset_of(path) for path in paths])
    found = predictions.perfect(data) * 2
    write_plots(found, joined, tmp_path / 'out')
    check(tmp_path / 'out' / 'one')
    check(tmp_path / 'out' / 'two')
    write_plots(found, joined, tmp_path / 'named', names=['a/b', 'a/b'])
    check(tmp_path / 'named' / 'a_b')
    check(tmp_path / 'named' / 'a_b_')


def test_a_missing_picture_is_said_on_the_page(folder, tmp_path):
    path, data = folder
    (path.parent / '0.png').unlink()
    write_plots(predictions.perfect(data), path, tmp_path / 'out')
    page, _ = check(tmp_path / 'out')
    assert 'no such file' in page


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda found: found[:1], 'of 1 pictures, but the data set has 4'),
        (lambda found: found[::-1], 'not of .*annotations.json'),
        (lambda found: [], 'no picture'),
    ],
)
def test_predictions_of_other_data_are_said(folder, tmp_path, change, said):
    path, data = folder
    found = change(predictions.perfect(data))
    with pytest.raises(DatasetError, match=said) as error:
        write_plots(found, dataset_of(path), tmp_path / 'out')
    assert '\n' not in str(error.value)


def test_labels_beyond_the_classes_are_said(folder, tmp_path):
    path, data = folder
    found = predictions.perfect(data)
    found[3]['pred_instances']['labels'][0] = 3
    with pytest.raises(DatasetError, match='label 3, but .*has 3 classes'):
        write_plots(found, path, tmp_path / 'out')


def test_what_cannot_be_written_or_makes_no_sense_is_said(folder, tmp_path):
    path, data = folder
    found = predictions.perfect(data)
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot write plots'):
        write_plots(found, path, tmp_path / 'file')
    with pytest.raises(ConfigError, match='score_thr=2'):
        write_plots(found, path, tmp_path / 'out', score_thr=2)


def test_as_metric_it_collects_and_gives_no_results(folder, tmp_path):
    path, data = folder
    metric = PlotsMetric(tmp_path / 'out', dataset_of(path), worst=1)
    for sample in predictions.perfect(data):
        instances = InstanceData(**sample['pred_instances'])
        metric.process(None, [dict(sample, pred_instances=instances.to_dict())])
    assert len(metric.results) == 4
    plain = metric.results[0]
    assert plain['bboxes'].dtype == np.float32 and plain['img_id'] == 1
    assert metric.evaluate(4) == {}
    assert check(tmp_path / 'out')[1]['found'] == 8


def test_as_metric_it_never_fails_the_evaluation(tmp_path):
    class Captions:
        def __len__(self):
            return 1

    metric = PlotsMetric(tmp_path / 'out', Captions())
    metric.process(None, [predictions.sample(1, [], [], [])])
    assert metric.evaluate(1) == {}
    assert not (tmp_path / 'out').exists()


def test_on_many_small_boxes(tmp_path):
    data = coco_folder.content(num_images=8, size=(320, 240))
    data['annotations'] = [
        annotation | {'id': 100 * place + annotation['id'], 'bbox': [x, y, 18, 18]}
        for annotation in data['annotations'][::2]
        for place, (x, y) in enumerate(np.ndindex(300, 200))
        if x % 60 == 7 and y % 50 == annotation['image_id']
    ]
    path = coco_folder.write(tmp_path / 'data', data)
    found = predictions.perfect(data)
    write_plots(found, path, tmp_path / 'out', worst=3)
    page, summary = check(tmp_path / 'out')
    assert summary['found'] == len(data['annotations']) > 100
    assert summary['missed'] == summary['false_alarms'] == 0
    assert page.count('data:image/jpeg') == 6
