"""Precision@k of referring expressions, by hand, by mmdet's metric, on real ones."""

import json

import numpy as np
import pytest
import torch

from glip.errors import ConfigError, DatasetError
from glip.evaluation import MultiDatasetsEvaluator, RefExpMetric
from glip.registry import METRICS

BOX = [0.0, 0.0, 10.0, 10.0]
FAR = [200.0, 200.0, 210.0, 210.0]


def sample(found, truth=(BOX,), name='refcoco', **meta):
    """One sentence; ``found`` are boxes, the most certain first."""
    scores = [0.9 - 0.01 * i for i in range(len(found))]
    kept = dict(
        img_id=meta.pop('img_id', 1),
        text='the left one',
        tokens_positive=(((0, 12),),),
        pred_instances=dict(
            bboxes=torch.tensor(found).reshape(-1, 4),
            scores=torch.tensor(scores),
            labels=torch.zeros(len(found), dtype=torch.long),
        ),
        gt_instances=dict(
            bboxes=torch.tensor(truth).reshape(-1, 4),
            labels=torch.zeros(len(truth), dtype=torch.long),
        ),
    )
    return kept | ({'dataset_name': name} if name else {}) | meta


def evaluate(samples, **kwargs):
    metric = RefExpMetric(**kwargs)
    for item in samples:
        metric.process({}, [item])
    return metric.evaluate(len(samples))


def test_precision_of_each_set_by_hand():
    samples = [
        sample([BOX]),
        sample([FAR, BOX]),
        sample([FAR] * 7 + [BOX]),
        sample([]),  # nothing found
        sample([BOX], name='refcoco+'),
        sample([FAR] * 10 + [BOX], name='refcoco+'),
    ]
    found = evaluate(samples)
    assert found == {
        'refexp/mean_precision': pytest.approx((0.25 + 0.5 + 0.75 + 3 * 0.5) / 6),
        'refexp/refcoco_precision@1': 0.25,
        'refexp/refcoco_precision@5': 0.5,
        'refexp/refcoco_precision@10': 0.75,
        'refexp/refcoco_acc@0.5': 0.25,
        'refexp/refcoco+_precision@1': 0.5,
        'refexp/refcoco+_precision@5': 0.5,
        'refexp/refcoco+_precision@10': 0.5,
        'refexp/refcoco+_acc@0.5': 0.5,
        'refexp/expressions': 6,
    }
    assert all(isinstance(value, float) for value in found.values())


def test_accuracy_stays_at_half_an_overlap():
    half = [0.0, 0.0, 10.0, 5.0]  # IoU exactly 0.5
    found = evaluate([sample([half])], iou_thrs=0.7)
    assert found['refexp/refcoco_precision@1'] == 0
    assert found['refexp/refcoco_acc@0.5'] == 1
    less = [0.0, 0.0, 10.0, 4.999]
    assert evaluate([sample([less])])['refexp/refcoco_acc@0.5'] == 0


def test_sets_without_a_name():
    found = evaluate([sample([BOX], name='')], topk=(1,))
    assert found == {
        'refexp/mean_precision': 1,
        'refexp/precision@1': 1,
        'refexp/acc@0.5': 1,
        'refexp/expressions': 1,
    }


def test_a_sentence_whose_box_could_not_be_read_is_left_out(caplog):
    found = evaluate([sample([BOX]), sample([BOX], truth=(), img_id=9)])
    assert found['refexp/expressions'] == 1
    assert found['refexp/refcoco_precision@1'] == 1


def mdetr(samples):
    """MDETR's file of the same sentences."""
    images, annotations = [], []
    for item in samples:
        image = {'file_name': 'a.jpg', 'width': 640, 'height': 480, 'caption': 'x'}
        name = item['dataset_name']
        images.append(image | {'id': item['img_id'], 'dataset_name': name})
        x1, y1, x2, y2 = item['gt_instances']['bboxes'][0].tolist()
        annotations.append(
            {
                'id': len(annotations) + 1,
                'image_id': item['img_id'],
                'category_id': 1,
                'bbox': [x1, y1, x2 - x1, y2 - y1],
                'area': (x2 - x1) * (y2 - y1),
                'iscrowd': 0,
            }
        )
    categories = [{'id': 1, 'name': 'object'}]
    return {'images': images, 'annotations': annotations, 'categories': categories}


def theirs(samples, path):
    """Results of mmdet's metric."""
    from mmdet.evaluation.metrics import RefExpMetric as Theirs

    path.write_text(json.dumps(mdetr(samples)))
    metric = Theirs(ann_file=str(path))
    metric.process({}, samples)
    return metric.compute_metrics(metric.results)


def test_equals_mmdets_metric(tmp_path):
    rng = np.random.default_rng(5)
    samples = []
    for number in range(90):
        corner, size = rng.integers(0, 60, 2), rng.integers(8, 60, 2)
        true = np.array([*corner, *(corner + size)], dtype=np.float32)
        found = true + rng.normal(0, 8, (12, 4)).astype(np.float32)
        found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
        name = ('refcoco', 'refcoco+', 'refcocog')[number % 3]
        boxes = found.tolist()
        samples.append(sample(boxes, (true.tolist(),), name, img_id=number))
    path = tmp_path / 'finetune.json'
    expected = theirs(samples, path)
    found = evaluate(samples, ann_file=path)
    assert 0.2 < expected['refcoco_precision@1'] < expected['refcoco_precision@10']
    for key, value in expected.items():
        assert found[f'refexp/{key}'] == pytest.approx(value), key


def test_what_became_of_each_sentence_is_written(tmp_path):
    prefix = tmp_path / 'run'
    evaluate([sample([FAR, BOX]), sample([], img_id=2)], outfile_prefix=prefix)
    content = json.loads((tmp_path / 'run.phrases.json').read_text())
    assert content['results']['refcoco_precision@5'] == 0.5
    assert [row['rank'] for row in content['phrases']] == [2, None]
    assert content['phrases'][0]['phrase'] == 'the left one'
    assert content['phrases'][0]['dataset_name'] == 'refcoco'


@pytest.mark.parametrize(
    ('item', 'said'),
    [
        (sample([BOX], text=('cat', 'dog')), 'has classes'),
        (
            sample([BOX], tokens_positive=(((0, 3),), ((4, 8),))),
            'has several phrases: evaluate those with Flickr30kMetric',
        ),
        (sample([BOX], truth=(BOX, FAR)), 'has 2 boxes'),
    ],
)
def test_data_of_another_kind_is_refused_at_once(item, said):
    with pytest.raises(DatasetError, match=said) as error:
        RefExpMetric().process({}, [item])
    assert '\n' not in str(error.value)


def test_another_annotation_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r'evaluator not found: /.*none\.json'):
        RefExpMetric(ann_file=tmp_path / 'none.json')
    path = tmp_path / 'other.json'
    path.write_text(json.dumps(mdetr([sample([BOX], img_id=5)])))
    with pytest.raises(DatasetError, match=r'sentences \[1\] are not in .*other\.json'):
        evaluate([sample([BOX])], ann_file=path)


@pytest.mark.parametrize(
    'wrong', [dict(metric='segm'), dict(topk=(-1,)), dict(topk=[]), dict(iou_thrs=0)]
)
def test_wrong_arguments(wrong):
    with pytest.raises(ConfigError):
        RefExpMetric(**wrong)


def test_joined_with_phrases_each_part_has_its_own():
    """The first metric sees all pictures; what it keeps must suit the second."""
    phrases = sample([FAR, BOX], tokens_positive=(((0, 3),), ((4, 8),)), name='')
    samples = [phrases, sample([BOX])]
    evaluator = MultiDatasetsEvaluator(
        [
            METRICS.build(dict(type='Flickr30kMetric', topk=(1, 5))),
            METRICS.build(dict(type='RefExpMetric', topk=(1,))),
        ],
        ['flickr', 'refcoco'],
    )
    evaluator.dataset_meta = dict(parts=[{}, {}], cumulative_sizes=[1, 2])
    evaluator.process(samples)
    found = evaluator.evaluate(2)
    assert found['flickr/flickr30k/R@1'] == 0 and found['flickr/flickr30k/R@5'] == 100
    assert found['refcoco/refexp/refcoco_precision@1'] == 1
    evaluator = MultiDatasetsEvaluator(
        [METRICS.build(dict(type='RefExpMetric')) for _ in range(2)], ['a', 'b']
    )
    evaluator.dataset_meta = dict(parts=[{}, {}], cumulative_sizes=[1, 2])
    with pytest.raises(DatasetError, match='several phrases'):
        evaluator.process(samples)
