"""AP on data whose answers are known."""

import json

import coco_folder
import numpy as np
import pytest
import set_folders
import torch
from mmengine.structures import InstanceData

from glip.errors import ConfigError, DatasetError
from glip.evaluation import CocoMetric

NAMES = ('red', 'green', 'blue')


def samples(data, names, keep=lambda a: True, images=None):
    """Predictions equal to the annotations, labels indexing ``names``."""
    ids = {c['name']: c['id'] for c in data['categories']}
    label = {ids[name]: i for i, name in enumerate(names)}
    found = []
    for image in data['images']:
        if images is not None and image['id'] not in images:
            continue
        own = [
            a
            for a in data['annotations']
            if a['image_id'] == image['id'] and a['category_id'] in label and keep(a)
        ]
        boxes = np.array([a['bbox'] for a in own], dtype=float).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found.append(
            {
                'img_id': image['id'],
                'pred_instances': InstanceData(
                    bboxes=torch.tensor(boxes),
                    scores=torch.linspace(0.9, 0.8, len(own)),
                    labels=torch.tensor([label[a['category_id']] for a in own]).long(),
                ).to_dict(),
            }
        )
    return found


def evaluate(path, found, names, **kwargs):
    metric = CocoMetric(path, **kwargs)
    metric.dataset_meta = {'classes': names}
    metric.process(None, found)
    return metric.evaluate(len(found))


@pytest.mark.parametrize('names', [NAMES, NAMES[::-1], ('green', 'red')])
@pytest.mark.parametrize('first_id', [0, 1])
def test_perfect_in_any_order_of_classes_and_ids(tmp_path, names, first_id):
    data = coco_folder.content()
    for category in data['categories']:
        category['id'] += first_id - 1
    for annotation in data['annotations']:
        annotation['category_id'] += first_id - 1
        annotation['id'] += first_id - 1
    data['categories'].reverse()
    path = coco_folder.write(tmp_path, data)
    values = evaluate(path, samples(data, names), names, classwise=True)
    assert values['coco/bbox_mAP'] == 1.0
    for name in names:
        assert values[f'coco/{name}_precision'] == 1.0


def test_classes_keep_their_own_results(tmp_path):
    data = coco_folder.content(num_images=6)
    path = coco_folder.write(tmp_path, data)
    names = ('blue', 'red', 'green')
    found = samples(data, names, keep=lambda a: a['category_id'] != 1)
    values = evaluate(path, found, names, classwise=True)
    assert values['coco/red_precision'] == 0
    assert values['coco/green_precision'] == values['coco/blue_precision'] == 1
    assert values['coco/bbox_mAP'] == pytest.approx(2 / 3, abs=1e-3)


def test_agrees_with_pycocotools_on_inexact_boxes(tmp_path):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    data = coco_folder.content(num_images=12)
    path = coco_folder.write(tmp_path, data)
    found = samples(data, NAMES)
    generator = torch.Generator().manual_seed(0)
    records = []
    for sample in found:
        instances = sample['pred_instances']
        instances['bboxes'] += 3 * torch.randn(
            instances['bboxes'].shape, generator=generator, dtype=torch.float64
        )
        for (x1, y1, x2, y2), score, label in zip(
            instances['bboxes'].tolist(),
            instances['scores'].tolist(),
            instances['labels'].tolist(),
        ):
            records.append(
                {
                    'image_id': sample['img_id'],
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'score': score,
                    'category_id': label + 1,
                }
            )
    truth = COCO(str(path))
    expected = COCOeval(truth, truth.loadRes(records), 'bbox')
    expected.evaluate()
    expected.accumulate()
    expected.summarize()
    values = evaluate(path, found, NAMES, metric_items=['mAP', 'mAP_50', 'AR@100'])
    assert 0.1 < expected.stats[0] < 0.9
    assert values['coco/bbox_mAP'] == pytest.approx(expected.stats[0], abs=1e-3)
    assert values['coco/bbox_mAP_50'] == pytest.approx(expected.stats[1], abs=1e-3)
    assert values['coco/bbox_AR@100'] == pytest.approx(expected.stats[8], abs=1e-3)


def test_only_pictures_that_were_shown_count(tmp_path):
    data = coco_folder.content(num_images=6)
    path = coco_folder.write(tmp_path, data)
    found = samples(data, NAMES, images={1, 2})
    assert evaluate(path, found, NAMES)['coco/bbox_mAP'] == 1.0


def test_nothing_found(tmp_path):
    data = coco_folder.content()
    path = coco_folder.write(tmp_path, data)
    found = samples(data, NAMES, keep=lambda a: False)
    values = evaluate(path, found, NAMES, classwise=True)
    assert values['coco/bbox_mAP'] == 0


def test_nothing_to_find(tmp_path):
    data = coco_folder.content() | {'annotations': []}
    path = coco_folder.write(tmp_path, data)
    values = evaluate(path, samples(data, NAMES), NAMES, classwise=True)
    assert values['coco/bbox_mAP'] == -1
    assert np.isnan(values['coco/red_precision'])


def test_boxes_without_size_do_not_count(tmp_path):
    data = coco_folder.content()
    perfect = samples(data, NAMES)
    data['annotations'].append(
        {'id': 99, 'image_id': 1, 'category_id': 1, 'bbox': [3, 3, 0, 5]}
    )
    path = coco_folder.write(tmp_path, data)
    assert evaluate(path, perfect, NAMES)['coco/bbox_mAP'] == 1.0


def test_detections_are_written_with_names(tmp_path):
    data = coco_folder.content()
    path = coco_folder.write(tmp_path, data)
    prefix = tmp_path / 'new' / 'run'
    values = evaluate(
        path, samples(data, NAMES), NAMES, format_only=True, outfile_prefix=str(prefix)
    )
    assert values == {}
    records = json.loads((tmp_path / 'new/run.bbox.json').read_text())
    assert len(records) == 8
    assert records[0]['bbox'] == [4, 6, 20, 24] and records[0]['name'] == 'red'


@pytest.mark.parametrize(
    'wrong',
    [
        {'metric': 'segm'},
        {'metric': ['bbox', 'segm']},
        {'metric': 'heading'},
        {'file_client_args': {'backend': 'disk'}},
        {'iou_thrs': [0.5, float('nan')]},
        {'iou_thrs': []},
        {'format_only': True},
        {'metric_items': ['mAP_7']},
        {'proposal_nums': (1, 10)},
    ],
)
def test_arguments_are_checked(tmp_path, wrong):
    with pytest.raises(ConfigError):
        CocoMetric(tmp_path / 'a.json', **wrong)


def test_pictures_and_labels_of_other_data_are_an_error(tmp_path):
    data = coco_folder.content()
    path = coco_folder.write(tmp_path, data)
    found = samples(data, NAMES)
    with pytest.raises(DatasetError, match='label 2, but .*has 2 classes'):
        evaluate(path, found, ('red', 'green'))
    found[0]['img_id'] = 77
    with pytest.raises(DatasetError, match='picture 77 is not in'):
        evaluate(path, found, NAMES)


@pytest.mark.parametrize(
    'file',
    [
        'coco/annotations/instances_val2017.json',
        'roboflow/valid/_annotations.coco.json',
        'ours/valid/annotations.json',
    ],
)
def test_annotations_of_any_layout_score_1_on_themselves(tmp_path, file):
    from glip.datasets import read_coco

    path = set_folders.write(tmp_path) / file
    names = read_coco(path).names
    data = json.loads(path.read_text())
    values = evaluate(path, samples(data, names), names, metric_items=['mAP_50'])
    assert values['coco/bbox_mAP_50'] > 0.99


def inexact(data, seed=0):
    """Detections beside the annotations."""
    found = samples(data, NAMES)
    generator = torch.Generator().manual_seed(seed)
    for sample in found:
        boxes = sample['pred_instances']['bboxes']
        boxes += 3 * torch.randn(boxes.shape, generator=generator, dtype=boxes.dtype)
    return found


def by_pycocotools(path, found, **params):
    """``stats`` of the official tool."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    records = []
    for sample in found:
        instances = sample['pred_instances']
        boxes = instances['bboxes'].clone()
        boxes[:, 2:] -= boxes[:, :2]
        columns = (boxes, instances['scores'], instances['labels'] + 1)
        for box, score, category in zip(*(column.tolist() for column in columns)):
            record = {'bbox': box, 'score': score, 'category_id': category}
            records.append({'image_id': sample['img_id']} | record)
    truth = COCO(str(path))
    evaluation = COCOeval(truth, truth.loadRes(records), 'bbox')
    for name, value in params.items():
        setattr(evaluation.params, name, value)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


def test_proposals_agree_with_pycocotools(tmp_path):
    """Of one class or another: wrong classes are no matter."""
    data = coco_folder.content(num_images=12)
    path = coco_folder.write(tmp_path, data)
    found = inexact(data)
    for sample in found:
        sample['pred_instances']['labels'] *= 0
    stats = by_pycocotools(path, found, useCats=0, maxDets=[1, 100, 300])
    values = evaluate(
        path, found, NAMES, metric='proposal', proposal_nums=(1, 100, 300)
    )
    assert set(values) == {
        *('coco/AR@1', 'coco/AR@100', 'coco/AR@300'),
        *('coco/AR_s@300', 'coco/AR_m@300', 'coco/AR_l@300'),
    }
    assert 0.1 < values['coco/AR@1'] < values['coco/AR@100'] < 0.9
    for name, value in zip(('1', '100', '300'), stats[6:9]):
        assert values[f'coco/AR@{name}'] == pytest.approx(value, abs=1e-12)
    for name, value in zip('sml', stats[9:]):
        assert values[f'coco/AR_{name}@300'] == pytest.approx(value, abs=1e-12)
    both = evaluate(path, found, NAMES, metric=['bbox', 'proposal'])
    assert {'coco/bbox_mAP', 'coco/AR@100'} <= set(both)


def test_fast_proposals_take_any_numbers(tmp_path):
    data = coco_folder.content()  # two boxes in each of four pictures
    path = coco_folder.write(tmp_path, data)
    options = dict(metric='proposal_fast', proposal_nums=(1, 2), iou_thrs=[0.5, 0.9])
    values = evaluate(path, samples(data, NAMES), NAMES, **options)
    assert values == {'coco/AR@1': 0.5, 'coco/AR@2': 1.0}
    empty = coco_folder.write(tmp_path / 'empty', data | {'annotations': []})
    assert evaluate(empty, samples(data, NAMES), NAMES, **options) == {
        'coco/AR@1': -1.0,
        'coco/AR@2': -1.0,
    }


def test_without_a_file_annotations_are_those_of_the_samples(tmp_path):
    data = coco_folder.content()
    data['annotations'][0]['iscrowd'] = 1
    path = coco_folder.write(tmp_path, data)
    found = inexact(data)
    for sample in found:
        sample['instances'] = [
            {
                'bbox': [x, y, x + w, y + h],
                'bbox_label': a['category_id'] - 1,
                'ignore_flag': a['iscrowd'],
            }
            for a in data['annotations']
            for x, y, w, h in [a['bbox']]
            if a['image_id'] == sample['img_id']
        ]
    expected = evaluate(path, found, NAMES, classwise=True)
    assert evaluate(None, found, NAMES, classwise=True) == pytest.approx(expected)
    del found[0]['instances']
    with pytest.raises(DatasetError, match='instances'):
        evaluate(None, found, NAMES)


def test_thresholds_stay_what_the_config_gives(tmp_path):
    data = coco_folder.content()
    path = coco_folder.write(tmp_path, data)
    assert CocoMetric(path, iou_thrs=[0.5, 0.6]).iou_thrs == [0.5, 0.6]
    values = evaluate(path, samples(data, NAMES), NAMES, iou_thrs=[0.5, 0.6])
    assert values['coco/bbox_mAP_50'] == 1 and values['coco/bbox_mAP_75'] == -1


def test_areas_of_nothing_are_small_as_in_the_official_tool(tmp_path):
    data = coco_folder.content(num_images=12)
    for annotation in data['annotations'][::2]:
        annotation['bbox'][2:] = [60, 40]  # medium, were it not for the area
        annotation['area'] = 0
    path = coco_folder.write(tmp_path, data)
    found = inexact(data)
    stats = by_pycocotools(path, found)
    values = evaluate(path, found, NAMES)
    for name, value in zip(('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m'), stats):
        assert values[f'coco/bbox_{name}'] == pytest.approx(value, abs=1e-12)
