"""Data that nothing, or the wrong thing, could be learned from."""

import json

import coco_folder
import grounding_files
import pytest
from mmengine.registry import DefaultScope

from glip.datasets import read_coco
from glip.errors import DatasetError
from glip.registry import DATASETS

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
]


def build(kind, path, pipeline=PIPELINE, **fields):
    with DefaultScope.overwrite_default_scope('glip'):
        return DATASETS.build(
            dict(
                type=kind,
                ann_file=str(path),
                data_prefix=dict(img=str(path.parent)),
                pipeline=pipeline,
                **fields,
            )
        )


def test_many_captions_of_one_broken_picture(tmp_path):
    path = grounding_files.write_lines(tmp_path, [grounding_files.grounding()] * 5)
    (tmp_path / 'a.png').write_bytes(b'')
    data = build('ODVGDataset', path)
    with pytest.raises(DatasetError, match=r'none of 1001 samples.*a\.png'):
        data[0]


def test_pipeline_that_leaves_nothing(tmp_path):
    path = coco_folder.write(tmp_path)
    strict = dict(type='FilterAnnotations', min_gt_bbox_wh=(999, 999), keep_empty=True)
    data = build('CocoDataset', path, [*PIPELINE, strict])
    with pytest.raises(DatasetError, match='pipeline leaves nothing'):
        data[0]


def background(tmp_path, with_box):
    content = coco_folder.content()
    content['categories'].insert(0, {'id': 0, 'name': '__background__'})
    if with_box:
        content['annotations'][0]['category_id'] = 0
    return coco_folder.write(tmp_path, content)


def test_the_background_is_no_class(tmp_path):
    assert read_coco(background(tmp_path, False)).names == ('red', 'green', 'blue')
    assert '__background__' in read_coco(background(tmp_path, True)).names


def test_the_background_of_a_label_map_is_no_class(tmp_path):
    (tmp_path / 'map.json').write_text('{"0": "__background__", "1": "dog"}')
    record = grounding_files.detection((1, [1, 2, 30, 40]))
    path = grounding_files.write_lines(tmp_path, [record])
    data = build('ODVGDataset', path, label_map_file=str(tmp_path / 'map.json'))
    assert data.metainfo['classes'] == ('dog',)
    assert data.get_data_info(0)['instances'][0]['bbox_label'] == 0


@pytest.mark.parametrize('label', [float('inf'), 1.7, True, None, 'x'])
def test_labels_are_whole_numbers(tmp_path, label):
    (tmp_path / 'map.json').write_text('{"0": "cat", "1": "dog"}')
    path = grounding_files.write_lines(
        tmp_path, [grounding_files.detection((label, [1, 2, 30, 40]))]
    )
    with pytest.raises(DatasetError, match='line 1: label .* is not in'):
        build('ODVGDataset', path, label_map_file=str(tmp_path / 'map.json'))


def test_byte_order_mark(tmp_path):
    path = coco_folder.write(tmp_path)
    path.write_bytes(b'\xef\xbb\xbf' + path.read_bytes())
    assert read_coco(path).names == ('red', 'green', 'blue')


def test_ids_of_another_type(tmp_path):
    content = coco_folder.content()
    for annotation in content['annotations']:
        annotation['image_id'] = str(annotation['image_id'])
    path = coco_folder.write(tmp_path, content)
    with pytest.raises(DatasetError, match="image_id of annotation 1 is '1'"):
        read_coco(path)
    content = coco_folder.content()
    content['annotations'][0]['category_id'] = '1'
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="category_id '1', which is not among"):
        read_coco(path)


def test_one_span_without_a_list_of_them(tmp_path):
    content = grounding_files.mdetr()
    content['annotations'][0]['tokens_positive'] = [0, 5]
    path = tmp_path / 'data.json'
    path.write_text(json.dumps(content))
    grounding_files.picture(tmp_path / content['images'][0]['file_name'])
    data = build('MDETRDataset', path)
    assert data.get_data_info(0)['tokens_positive'][0] == ((0, 5),)
