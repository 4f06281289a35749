"""The weight of a box goes wherever its box goes."""

import json

import numpy as np
import pytest
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.registry import DefaultScope
from PIL import Image

from glip.datasets import ODVGDataset
from glip.errors import ConfigError
from glip.transforms.weighted_boxes import WeightedBoxes

CAPTION = 'a cat on a mat'
# Width of the box tells which one it is: 10, 20, 30; the one of 1 pixel is filtered.
REGIONS = [
    {
        'bbox': [[0, 0, 10, 40], [0, 0, 1, 40], [0, 0, 30, 40]],
        'tokens_positive': [[0, 5]],
        'scores': [0.1, 0.9, 0.3],
    },
    {'bbox': [0, 0, 20, 40], 'tokens_positive': [[9, 14]], 'score': 0.2},
]
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='GTBoxSubOne_GLIP'),
    dict(type='FixScaleResize', scale=(128, 96), keep_ratio=True),
    dict(type='RandomFlip_GLIP', prob=1.0),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1)),
    dict(type='RandomSamplingNegPos'),
    dict(type='PackDetInputs'),
]


@pytest.fixture(autouse=True)
def scope():
    with DefaultScope.overwrite_default_scope('glip'):
        yield


def dataset(folder, records, pipeline=PIPELINE, **options):
    Image.new('RGB', (64, 48)).save(folder / 'a.png')
    head = {'filename': 'a.png', 'width': 64, 'height': 48}
    lines = [json.dumps(head | record) for record in records]
    (folder / 'a.jsonl').write_text('\n'.join(lines))
    (folder / 'map.json').write_text('{"0": "cat", "1": "dog"}')
    return ODVGDataset(
        ann_file='a.jsonl',
        data_root=str(folder),
        label_map_file='map.json',
        pipeline=pipeline,
        **{'weigh_by_score': True} | options,
    )


def test_weights_follow_boxes_through_a_pipeline(tmp_path):
    caption = {'grounding': {'caption': CAPTION, 'regions': REGIONS}}
    truth = dataset(tmp_path, [caption])[0]['data_samples'].gt_instances
    # Two pixels of the network for one of the picture, and ends within.
    boxes = truth.bboxes.tensor
    widths = (boxes[:, 2] - boxes[:, 0]).tolist()
    assert widths == [18, 58, 38]
    assert truth.weights.tolist() == pytest.approx([0.1, 0.3, 0.2])
    assert truth.labels.tolist() == [0, 0, 1]


def test_classes_are_weighted_and_people_count_in_full(tmp_path):
    instances = [
        {'bbox': [0, 0, 10, 40], 'label': 0, 'score': 0.4},
        {'bbox': [0, 0, 20, 40], 'label': 1},
        {'bbox': [0, 0, 30, 40], 'label': 1, 'score': 1.7},
    ]
    record = {'detection': {'instances': instances}}
    data = dataset(tmp_path, [record])
    truth = data[0]['data_samples'].gt_instances
    assert truth.weights.tolist() == pytest.approx([0.4, 1, 1])
    drawn = {'detection': {'instances': instances[1:2]}}
    assert 'weights' not in dataset(tmp_path, [drawn])[0]['data_samples'].gt_instances
    plain = dataset(tmp_path, [record], weigh_by_score=False)
    assert 'weights' not in plain[0]['data_samples'].gt_instances
    assert len(plain.get_data_info(0)['instances']) == 3


def test_weights_that_are_lost_on_the_way_are_an_error(tmp_path):
    def renew(results):
        results['gt_bboxes'] = HorizontalBoxes(results['gt_bboxes'].tensor)
        return results

    caption = {'grounding': {'caption': CAPTION, 'regions': REGIONS}}
    pipeline = [*PIPELINE[:2], renew, PIPELINE[-1]]
    with pytest.raises(ConfigError, match='weigh_by_score'):
        dataset(tmp_path, [caption], pipeline)[0]


def test_boxes_of_several_pictures():
    one = WeightedBoxes(np.zeros((2, 4), np.float32), weights=[0.1, 0.2])
    other = WeightedBoxes(np.ones((1, 4), np.float32))
    both = WeightedBoxes.cat([one[[1]], other.clone()])
    assert both.weights.tolist() == pytest.approx([0.2, 1.0])
    assert both[np.array([False, True])].weights.tolist() == [1.0]
    assert len(WeightedBoxes([])[[]].weights) == 0
