"""Folders as data sets: prompts, clipping, broken pictures, filters."""

import json
from pathlib import Path
from types import SimpleNamespace

import coco_folder
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from torch.utils.data import DataLoader

from glip.datasets import CocoDataset, LoadImageFromFile
from glip.datasets.seeding import SeededDataset
from glip.engine.val_loop import ValLoop
from glip.errors import DatasetError, GLIPError, ImageError
from glip.evaluation import CocoMetric
from glip.registry import DATASETS, TRANSFORMS

PIPELINE = [
    {'type': 'LoadImageFromFile', 'imdecode_backend': 'pillow'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'PackDetInputs'},
]


def dataset(ann_file, **kwargs):
    return DATASETS.build(
        {
            'type': 'CocoDataset',
            'data_root': str(ann_file.parent),
            'ann_file': ann_file.name,
            'data_prefix': {'img': ''},
            'pipeline': PIPELINE,
        }
        | kwargs
    )


def test_samples_carry_the_prompt(tmp_path):
    data = dataset(coco_folder.write(tmp_path))
    assert isinstance(data, CocoDataset) and len(data) == 4
    assert data.metainfo['classes'] == ('red', 'green', 'blue')
    sample = data[1]
    assert sample['inputs'].shape == (3, 48, 64)
    meta = sample['data_samples']
    assert meta.text == ('red', 'green', 'blue')
    assert meta.custom_entities is True and meta.caption_prompt is None
    truth = meta.gt_instances
    assert truth.labels.tolist() == [1, 2]
    assert truth.bboxes.tensor.tolist() == [[4, 7, 24, 31], [32, 7, 52, 31]]


def test_labels_follow_the_order_of_the_classes(tmp_path):
    data = dataset(coco_folder.write(tmp_path), metainfo={'classes': ['blue', 'green']})
    assert data[0]['data_samples'].gt_instances.labels.tolist() == [1]
    assert data[1]['data_samples'].gt_instances.labels.tolist() == [1, 0]
    assert data.cat_ids == [3, 2]
    assert data.get_cat_ids(1) == [1, 0]


def test_caption_prompt_and_plain_samples(tmp_path):
    path = coco_folder.write(tmp_path)
    prompt = {'red': {'prefix': 'bright '}}
    sample = dataset(path, caption_prompt=prompt)[0]['data_samples']
    assert sample.caption_prompt == prompt
    assert 'text' not in dataset(path, return_classes=False)[0]['data_samples']


def test_boxes_are_clipped_and_those_outside_dropped(tmp_path):
    data = coco_folder.content(num_images=1)
    boxes = [[-5, -5, 20, 20], [60, 40, 30, 30], [70, 10, 5, 5], [5, 5, 0, 4]]
    boxes += [[1, 1, 9, 9]]
    data['annotations'] = [
        {'id': i, 'image_id': 1, 'category_id': 1, 'bbox': box}
        for i, box in enumerate(boxes)
    ]
    found = dataset(coco_folder.write(tmp_path, data))[0]['data_samples'].gt_instances
    assert found.bboxes.tensor.tolist() == [
        [0, 0, 15, 15],
        [60, 40, 64, 48],
        [1, 1, 10, 10],
    ]


def test_crowds_are_set_apart(tmp_path):
    data = coco_folder.content(num_images=1)
    data['annotations'][0]['iscrowd'] = 1
    sample = dataset(coco_folder.write(tmp_path, data))[0]['data_samples']
    assert len(sample.gt_instances) == len(sample.ignored_instances) == 1


def test_filters_apply_in_training_only(tmp_path):
    data = coco_folder.content()
    data['annotations'] = data['annotations'][:2]
    path = coco_folder.write(tmp_path, data)
    filters = {'filter_empty_gt': True}
    assert len(dataset(path)) == 4
    assert len(dataset(path, filter_cfg=filters)) == 1
    assert len(dataset(path, filter_cfg=filters, test_mode=True)) == 4
    assert len(dataset(path, indices=2)) == 2
    with pytest.raises(DatasetError, match='none of its 4 pictures can be used'):
        dataset(path, filter_cfg={'min_size': 1000})


def test_empty_file_is_an_error(tmp_path):
    data = coco_folder.content() | {'images': [], 'annotations': []}
    with pytest.raises(DatasetError, match='none of its 0 pictures'):
        dataset(coco_folder.write(tmp_path, data))


def test_wrong_folder_is_told_from_the_start(tmp_path):
    path = coco_folder.write(tmp_path)
    with pytest.raises(DatasetError, match=r'nowhere is not there.*0\.png'):
        dataset(path, data_prefix={'img': 'nowhere'})
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='has none of the first pictures'):
        dataset(path, data_prefix={'img': 'empty'})


def test_pictures_may_start_from_the_root(tmp_path):
    assert len(dataset(coco_folder.write(tmp_path), data_prefix={'img_path': ''})) == 4


def test_broken_pictures_are_skipped_in_training(tmp_path):
    path = coco_folder.write(tmp_path)
    (tmp_path / '0.png').unlink()
    (tmp_path / '1.png').write_bytes(b'')
    data = dataset(path)
    assert {data[i]['data_samples'].img_id for i in range(4)} <= {3, 4}
    assert len(data.broken.messages()) == 2
    capped = dataset(path, max_broken_images=1)
    with pytest.raises(DatasetError, match='2 of the 4 pictures'):
        for i in range(4):
            capped[i]


def test_all_pictures_broken_is_an_error(tmp_path):
    path = coco_folder.write(tmp_path)
    for i in range(4):
        (tmp_path / f'{i}.png').write_bytes(b'no picture')
    with pytest.raises(DatasetError, match='4 of the 4 pictures'):
        dataset(path)[0]


def test_broken_picture_stops_an_evaluation(tmp_path):
    path = coco_folder.write(tmp_path)
    (tmp_path / '2.png').unlink()
    data = dataset(path, test_mode=True)
    assert data[1]['data_samples'].img_id == 2
    with pytest.raises(ImageError, match=r'2\.png: no such file'):
        data[2]


def test_broken_picture_is_blank_where_an_evaluation_must_not_stop(tmp_path):
    path = coco_folder.write(tmp_path, num_images=2)
    for i in range(2):
        (tmp_path / f'{i}.png').write_bytes(b'no picture')
    data = dataset(path, test_mode=True)
    loader = DataLoader(SeededDataset(data), collate_fn=list)
    metric = CocoMetric(ann_file=str(path))
    ValLoop(SimpleNamespace(visualizer=SimpleNamespace()), loader, Evaluator([metric]))
    samples = [data[i] for i in range(2)]
    for i, sample in enumerate(samples, 1):
        assert sample['data_samples'].img_id == i
        assert sample['data_samples'].ori_shape == (48, 64)
        assert (sample['inputs'] == sample['inputs'][0, 0, 0]).all()
    assert len(data.broken.messages()) == 2


def test_errors_are_of_the_base_class_users_catch(tmp_path):
    with pytest.raises(GLIPError, match='annotation file not found'):
        dataset(tmp_path / 'annotations.json')


def test_unscoped_names_are_ours_then_mmdets():
    assert TRANSFORMS.get('LoadImageFromFile') is LoadImageFromFile
    assert TRANSFORMS.get('FixScaleResize').__module__.startswith('mmdet.')
    assert DATASETS.get('ConcatDataset').__module__.startswith('glip.')
    assert DATASETS.get('ODVGDataset').__module__.startswith('glip.')
    assert DATASETS.get('V3DetDataset').__module__.startswith('mmdet.')


def test_inclusive_boxes_flip_onto_themselves(tmp_path):
    pipeline = [
        *PIPELINE[:2],
        {'type': 'GTBoxSubOne_GLIP'},
        {'type': 'RandomFlip_GLIP', 'prob': 1.0},
        {'type': 'PackDetInputs'},
    ]
    path = coco_folder.write(tmp_path)
    plain, flipped = dataset(path)[0], dataset(path, pipeline=pipeline)[0]
    assert torch.equal(plain['inputs'].flip(-1), flipped['inputs'])
    x1, y1, x2, y2 = flipped['data_samples'].gt_instances.bboxes.tensor[0].tolist()
    inside = flipped['inputs'][:, int(y1) : int(y2) + 1, int(x1) : int(x2) + 1]
    assert inside.shape == (3, 24, 20)
    assert (inside == torch.tensor([30, 30, 220])[:, None, None]).all()


def test_whole_training_pipeline_of_the_base(tmp_path):
    base = Path(__file__).parents[2] / 'configs/_base_/datasets/coco_detection.py'
    cfg = Config.fromfile(base)
    path = coco_folder.write(tmp_path)
    sample = dataset(path, pipeline=cfg.train_pipeline)[0]
    assert sample['inputs'].shape[1] in (480, 560, 640, 720, 800)
    scale = sample['inputs'].shape[1] / 48
    widths = sample['data_samples'].gt_instances.bboxes.widths
    assert torch.allclose(widths, torch.full((2,), 19 * scale), rtol=1e-2)
    tested = dataset(path, pipeline=cfg.test_pipeline, test_mode=True)[0]
    boxes = tested['data_samples'].gt_instances.bboxes.tensor
    assert tuple(tested['inputs'].shape[1:]) == (800, 1066)
    assert boxes[0].tolist() == [4, 6, 24, 30]  # not scaled: compared in originals


def test_serialised_records_survive(tmp_path):
    path = coco_folder.write(tmp_path)
    for serialize in (True, False):
        info = dataset(path, serialize_data=serialize).get_data_info(2)
        assert json.loads(json.dumps(info['text'])) == ['red', 'green', 'blue']
        assert info['sample_idx'] == 2 and info['img_id'] == 3
