"""Plots, tables and pages of captions, whose phrases are found or not."""

import csv
import html
import json
import re

import caption_sets
import grounding_files as files
import predictions
import pytest
from PIL import Image

from glip.datasets import Flickr30kDataset, MDETRStyleRefCocoDataset, ODVGDataset
from glip.datasets.concat import ConcatDataset
from glip.errors import ConfigError, DatasetError
from glip.evaluation import Flickr30kMetric
from glip.report.plots import PlotsMetric, write_plots


@pytest.fixture
def data(tmp_path):
    """Two captions of one picture: three phrases, the last of two boxes; and one."""
    content = files.mdetr()
    second = content['images'][0] | {'id': 8, 'caption': 'A bird'}
    content['images'].append(second)
    content['annotations'].append(
        content['annotations'][0]
        | {'id': 9, 'image_id': 8, 'tokens_positive': [[0, 6]], 'bbox': [9, 9, 30, 30]}
    )
    return dataset(tmp_path / 'data', content)


def dataset(folder, content, kind=Flickr30kDataset, **kwargs):
    folder.mkdir(exist_ok=True)
    path = files.write_mdetr(folder, content)
    return kind(
        ann_file=str(path),
        data_prefix={'img': str(folder)},
        test_mode=True,
        pipeline=[],
        **kwargs,
    )


def found():
    """The first phrase is found first, the second at the third box, the third never."""
    dog, other, car = (boxes[0] for boxes in files.BOXES)
    return [
        predictions.sample(
            7,
            [dog, car, car, other, dog, dog],
            [0.9, 0.8, 0.7, 0.6, 0.5, 0.4],
            [0, 1, 1, 1, 2, 2],
        ),
        predictions.sample(8, [], [], []),
    ]


def table(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def check(out):
    for name in ('recall.png', 'recall_by_kind.png'):
        with Image.open(out / name) as image:
            assert image.width > 300 and image.height > 150
            assert len(image.convert('RGB').getcolors(2**24)) > 3
    page = (out / 'worst' / 'index.html').read_text()
    assert page.count('<article') == page.count('</article>') > 0
    return page, json.loads((out / 'summary.json').read_text())


def test_found_and_missed_phrases_are_told_apart(data, tmp_path):
    written = write_plots(found(), data, tmp_path / 'out')
    assert written[0] == tmp_path / 'out' / 'worst' / 'index.html'
    assert all(path.is_file() for path in written)
    page, summary = check(tmp_path / 'out')
    assert summary['any_box'] == {'phrases': 4, 'R@1': 25, 'R@5': 50, 'R@10': 50}
    assert summary['merged_boxes'] == summary['any_box']
    assert summary['facts']['captions'] == '2 of 1 pictures'
    kinds = {name: kind['phrases'] for name, kind in summary['kinds'].items()}
    assert kinds == {'all': 4, 'small': 4, 'one box': 3, 'several boxes': 1}
    # Worst first: of the second caption nothing is found.
    assert re.findall(r'\(id (\d)\)', page) == ['8', '7']
    for words in (
        'A bird: missed',
        '"A bird": nothing found',
        '"a dog": box 3 of 3 is the first right one',
        '"red / car": none of 2 boxes is right',
        'a dog: wrong',
        'red / car: missed',
        '3 phrases with boxes: 1 right at the first box',
    ):
        assert words in html.unescape(page), words
    assert 'A dog: missed' not in page
    assert page.count('data:image/jpeg') == 4
    rows = table(tmp_path / 'out' / 'phrases.csv')
    assert [row['phrase'] for row in rows] == ['A dog', 'a dog', 'red / car', 'A bird']
    assert [row['rank'] for row in rows] == ['1', '3', '', '']
    assert [row['boxes'] for row in rows] == ['1', '1', '2', '1']
    assert [row['found'] for row in rows] == ['1', '3', '2', '0']


def test_numbers_are_those_of_the_metric(data, tmp_path):
    metric = Flickr30kMetric(topk=(1, 5), merge_boxes='both')
    for sample, number in zip(found(), range(2)):
        record = data.get_data_info(number)
        boxes = [entry['bbox'] for entry in record['instances']]
        labels = [entry['bbox_label'] for entry in record['instances']]
        truth = predictions.sample(0, boxes, [0] * len(boxes), labels)
        truth = truth['pred_instances']
        metric.process({}, [sample | {'gt_instances': truth, 'text': record['text']}])
    values = metric.evaluate(2)
    write_plots(found(), data, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    for name, start in (('any_box', ''), ('merged_boxes', 'merged_')):
        for k in ('R@1', 'R@5'):
            assert summary[name][k] == values[f'flickr30k/{start}{k}']


def test_sets_in_one_file_and_types_are_kinds(tmp_path):
    content = files.mdetr()
    first = content['annotations'][0]
    image = content['images'][0]
    content['images'] = [
        image | {'id': i, 'dataset_name': name}
        for i, name in enumerate(['refcoco', 'refcoco+', 'refcoco+'])
    ]
    content['annotations'] = [first | {'id': i, 'image_id': i} for i in range(3)]
    data = dataset(tmp_path / 'data', content, MDETRStyleRefCocoDataset)
    box = files.BOXES[0][0]
    samples = [predictions.sample(i, [box], [0.5], [0]) for i in range(2)]
    samples.append(predictions.sample(2, [], [], []))
    write_plots(samples, data, tmp_path / 'out', worst=1)
    page, summary = check(tmp_path / 'out')
    assert summary['kinds']['refcoco']['R@1'] == 100
    assert summary['kinds']['refcoco+']['R@1'] == 50
    assert 'merged_boxes' not in summary
    assert page.count('<article') == 1


def test_captions_without_boxes(tmp_path):
    data = dataset(tmp_path / 'data', files.mdetr(annotations=[]))
    samples = [predictions.sample(7, [(1, 1, 9, 9)], [0.5], [0])]
    write_plots(samples, data, tmp_path / 'out')
    _, summary = check(tmp_path / 'out')
    assert summary['any_box']['phrases'] == 0


def test_a_phrase_that_is_asked_for_but_has_no_box_is_not_judged(tmp_path):
    content = files.mdetr()
    asked = [files.SPANS[0], ((6, 12),)]
    content['images'][0]['tokens_positive_eval'] = asked
    data = dataset(tmp_path / 'data', content)
    boxes = [files.BOXES[0][0], (9, 9, 30, 30)]
    samples = [predictions.sample(7, boxes, [0.5, 0.4], [0, 1])]
    write_plots(samples, data, tmp_path / 'out')
    page, summary = check(tmp_path / 'out')
    assert summary['any_box']['phrases'] == 1
    assert 'chases: not judged' in page


def test_joined_with_classes_each_part_has_its_own(tmp_path):
    import coco_folder

    from glip.datasets import CocoDataset

    path = coco_folder.write(tmp_path / 'coco')
    classes = CocoDataset(
        ann_file=str(path),
        data_prefix={'img': str(path.parent)},
        test_mode=True,
        pipeline=[],
    )
    captions = dataset(tmp_path / 'data', files.mdetr())
    joined = ConcatDataset([classes, captions])
    samples = predictions.perfect(json.loads(path.read_text()))
    write_plots([*samples, found()[0]], joined, tmp_path / 'out')
    assert (tmp_path / 'out' / 'coco' / 'pr_curves.png').is_file()
    check(tmp_path / 'out' / 'data')


def test_parts_in_one_folder_are_named_after_their_files(tmp_path):
    parts = [dataset(tmp_path / 'data', files.mdetr())]
    (tmp_path / 'data' / 'data.json').rename(tmp_path / 'data' / 'val.json')
    parts[0].ann_file = str(tmp_path / 'data' / 'val.json')
    parts.append(dataset(tmp_path / 'data', files.mdetr()))
    joined = ConcatDataset(parts)
    write_plots([found()[0], found()[0]], joined, tmp_path / 'out', worst=0)
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['data', 'val']


def test_predictions_of_other_captions_are_said(data, tmp_path):
    with pytest.raises(DatasetError, match='picture 0 has the id 8'):
        write_plots(found()[::-1], data, tmp_path / 'out')
    with pytest.raises(DatasetError, match='label 2, but its caption has 1 phrases'):
        samples = [found()[0], predictions.sample(8, [(1, 1, 9, 9)], [0.5], [2])]
        write_plots(samples, data, tmp_path / 'out')
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError, match='cannot write plots'):
        write_plots(found(), data, tmp_path / 'file')


def test_classes_and_captions_in_one_file_are_said(tmp_path):
    records = [files.grounding(), files.detection((0, [1, 1, 9, 9]))]
    path = files.write_lines(tmp_path, records)
    (tmp_path / 'map.json').write_text('{"0": "dog"}')
    data = ODVGDataset(
        ann_file=str(path),
        data_prefix={'img': str(tmp_path)},
        label_map_file=str(tmp_path / 'map.json'),
        test_mode=True,
        pipeline=[],
    )
    samples = [predictions.sample(i, [], [], []) for i in range(2)]
    with pytest.raises(DatasetError, match='classes as well as captions'):
        write_plots(samples, data, tmp_path / 'out')


def test_a_missing_picture_is_said_on_the_page(data, tmp_path):
    (tmp_path / 'data' / 'a.png').unlink()
    write_plots(found(), data, tmp_path / 'out')
    page, _ = check(tmp_path / 'out')
    assert 'no such file' in page and 'A bird' in page


def test_as_metric_it_writes_and_gives_no_results(data, tmp_path):
    metric = PlotsMetric(tmp_path / 'out', data)
    metric.process(None, found())
    assert metric.evaluate(2) == {}
    assert check(tmp_path / 'out')[1]['any_box']['R@1'] == 25


def test_on_many_captions(tmp_path):
    root = caption_sets.write(tmp_path / 'data', pictures=30)
    data = Flickr30kDataset(
        ann_file=str(root / 'annotations/grounding_mdetr_val2017.json'),
        data_prefix={'img': str(root / 'val2017')},
        test_mode=True,
        pipeline=[],
    )
    samples = []
    for number in range(len(data)):
        record = data.get_data_info(number)
        own = record['instances'] if number % 2 else []
        boxes, labels = [e['bbox'] for e in own], [e['bbox_label'] for e in own]
        scores = [0.5] * len(own)
        samples.append(predictions.sample(record['img_id'], boxes, scores, labels))
    write_plots(samples, data, tmp_path / 'out', worst=3)
    page, summary = check(tmp_path / 'out')
    content = json.loads(
        (root / 'annotations/grounding_mdetr_val2017.json').read_text()
    )
    asked = [len(image['tokens_positive_eval']) for image in content['images']]
    assert summary['any_box']['phrases'] == sum(asked) > 80
    assert summary['merged_boxes']['R@1'] < summary['any_box']['R@1'] < 60
    assert page.count('data:image/jpeg') == 6
