"""Each part of mixed data is evaluated with its own classes."""

import json
import pickle

import coco_folder
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import DumpResults
from mmengine.structures import InstanceData

from glip.errors import ConfigError, DatasetError
from glip.evaluation import MultiDatasetsEvaluator


def right(data, right_labels):
    """One data sample per picture with the true boxes."""
    for image in data['images']:
        own = [a for a in data['annotations'] if a['image_id'] == image['id']]
        boxes = torch.tensor([a['bbox'] for a in own], dtype=torch.float)
        boxes[:, 2:] += boxes[:, :2]
        labels = torch.tensor([a['category_id'] - 1 for a in own])
        if not right_labels:
            labels = (labels + 1) % 3
        sample = DetDataSample(metainfo={'img_id': image['id']})
        sample.pred_instances = InstanceData(
            bboxes=boxes, labels=labels, scores=torch.full((len(own),), 0.5)
        )
        yield sample


def evaluator(tmp_path, **options):
    sizes, metrics, samples = [], [], []
    for name, count in (('good', 3), ('bad', 5)):
        data = coco_folder.content(num_images=count)
        path = coco_folder.write(tmp_path / name, data)
        metrics.append({'type': 'CocoMetric', 'ann_file': str(path)})
        samples += right(data, name == 'good')
        sizes.append(len(samples))
    result = MultiDatasetsEvaluator(metrics, ['good', 'bad'], **options)
    parts = [{'classes': ('red', 'green', 'blue')}] * 2
    result.dataset_meta = {'parts': parts, 'cumulative_sizes': sizes}
    return result, samples


def test_results_by_part_and_their_mean(tmp_path):
    evaluation, samples = evaluator(tmp_path)
    for i in range(0, 8, 2):  # batches across the border
        evaluation.process(samples[i : i + 2])
    values = evaluation.evaluate(8)
    assert values['good/coco/bbox_mAP'] == 1
    assert values['bad/coco/bbox_mAP'] == 0
    assert values['coco/bbox_mAP'] == 0.5
    assert values['coco/bbox_mAP_l'] == -1  # no part has large boxes
    assert evaluation.metrics[0].results == []


def test_further_metrics_see_everything(tmp_path):
    evaluation, samples = evaluator(tmp_path)
    evaluation.metrics.append(DumpResults(out_file_path=str(tmp_path / 'all.pkl')))
    evaluation.process(samples)
    assert evaluation.evaluate(8)['good/coco/bbox_mAP'] == 1
    with open(tmp_path / 'all.pkl', 'rb') as file:
        assert len(pickle.load(file)) == 8


def test_numbers_must_agree(tmp_path):
    with pytest.raises(ConfigError, match='give one for each'):
        MultiDatasetsEvaluator([], ['a'])
    evaluation, _ = evaluator(tmp_path)
    with pytest.raises(ConfigError, match='2 metrics for 1 data sets'):
        evaluation.dataset_meta = {'parts': [{}]}


def test_a_table_of_all_sets_with_classes_by_name(tmp_path):
    evaluation, samples = evaluator(tmp_path)
    evaluation.out_dir = tmp_path / 'run'
    evaluation.about = {'checkpoint': 'x.pth'}
    evaluation.process(samples)
    evaluation.evaluate(8)
    assert '| **mean of 2 sets** |' in (tmp_path / 'run' / 'sets.md').read_text()
    assert (tmp_path / 'run' / 'sets.csv').read_text().startswith('set,pictures,AP,')
    content = json.loads((tmp_path / 'run' / 'sets.json').read_text())
    assert content['checkpoint'] == 'x.pth' and content['mean']['AP'] == 0.5
    good, bad = content['sets']
    assert (good['name'], good['pictures'], good['boxes']) == ('good', 3, 6)
    assert [c['name'] for c in good['classes']] == ['red', 'green', 'blue']
    assert [c['AP'] for c in bad['classes']] == [0, 0, 0]
    assert good['ann_file'] == str(tmp_path / 'good' / 'annotations.json')


def test_absent_sets_stay_in_the_table(tmp_path):
    sets = [
        {'name': 'good', 'split': 'val'},
        {'name': 'gone', 'absent': '/data/gone.json'},
        {'name': 'bad'},
    ]
    evaluation, samples = evaluator(tmp_path, sets=sets)
    evaluation.out_dir = tmp_path / 'run'
    evaluation.process(samples)
    values = evaluation.evaluate(8)
    assert values['coco/bbox_mAP'] == 0.5
    assert (values['sets/evaluated'], values['sets/absent']) == (2, 1)
    content = json.loads((tmp_path / 'run' / 'sets.json').read_text())
    assert [s['name'] for s in content['sets']] == ['good', 'gone', 'bad']
    assert content['sets'][1]['absent'] == '/data/gone.json'
    assert content['sets'][0]['split'] == 'val'
    assert content['mean'] == {'AP': 0.5, 'AP50': 0.5, 'sets': 2, 'of': 3}
    assert 'mean of 2 of 3 sets' in (tmp_path / 'run' / 'sets.md').read_text()


def test_a_table_that_cannot_be_written_loses_no_results(tmp_path):
    evaluation, samples = evaluator(tmp_path)
    evaluation.out_dir = tmp_path / 'good' / 'annotations.json'
    evaluation.process(samples)
    assert evaluation.evaluate(8)['coco/bbox_mAP'] == 0.5


def test_names_of_sets_must_be_clear(tmp_path):
    metrics = [{'type': 'CocoMetric', 'ann_file': coco_folder.write(tmp_path)}] * 2
    with pytest.raises(ConfigError, match='give each a name of its own'):
        MultiDatasetsEvaluator(metrics, ['a', 'a'])
    with pytest.raises(ConfigError, match='are not those that are evaluated'):
        MultiDatasetsEvaluator(metrics, ['a', 'b'], sets=[{'name': 'a'}])


def test_predictions_of_other_pictures_are_refused(tmp_path):
    evaluation, samples = evaluator(tmp_path)
    evaluation.process(samples[::-1])
    with pytest.raises(DatasetError, match='the evaluated picture 5 is not in'):
        evaluation.evaluate(8)
