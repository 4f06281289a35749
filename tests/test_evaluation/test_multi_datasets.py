"""Each part of mixed data is evaluated with its own classes."""

import pickle

import coco_folder
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import DumpResults
from mmengine.structures import InstanceData

from glip.errors import ConfigError
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


def evaluator(tmp_path):
    sizes, metrics, samples = [], [], []
    for name, count in (('good', 3), ('bad', 5)):
        data = coco_folder.content(num_images=count)
        path = coco_folder.write(tmp_path / name, data)
        metrics.append({'type': 'CocoMetric', 'ann_file': str(path)})
        samples += right(data, name == 'good')
        sizes.append(len(samples))
    result = MultiDatasetsEvaluator(metrics, ['good', 'bad'])
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
