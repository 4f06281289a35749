import json
from pathlib import Path

import caption_sets
import coco_folder
import converted
import pytest
import set_folders

from glip.datasets import ODVGDataset
from glip.datasets.converters.from_coco import SOURCES, coco_to_odvg
from glip.datasets.converters.from_odvg import odvg_to_coco
from glip.errors import DatasetError

SETS = {
    'captions': 'annotations/instances_val2017.json',
    'ours': 'ours/valid/annotations.json',
    'coco': 'coco/annotations/instances_val2017.json',
    'roboflow': 'roboflow/test/_annotations.coco.json',
}


def content(**changes):
    """An annotation file of one picture with changed or further boxes."""
    return dict(coco_folder.content(num_images=1), **changes)


def test_record_and_label_map(coco: Path):
    result = coco_to_odvg(coco)
    output = coco.with_name('annotations_od.json')
    assert result.path == str(output)
    assert converted.lines(output)[0] == {
        'filename': '0.png',
        'height': 48,
        'width': 64,
        'image_id': 1,
        'detection': {
            'instances': [
                {'bbox': [4, 6, 24, 30], 'label': 0, 'category': 'red'},
                {'bbox': [32, 6, 52, 30], 'label': 1, 'category': 'green'},
            ]
        },
    }
    names = json.loads(coco.with_name('annotations_od_label_map.json').read_text())
    assert names == {'0': 'red', '1': 'green', '2': 'blue'}
    assert result.written == {'pictures': 4, 'boxes': 8, 'classes': 3}
    assert not result.dropped
    assert 'left out nothing' in result.lines()[-1]


def test_everything_left_out_is_counted_by_its_reason(write, tmp_path: Path):
    boxes = {
        'kept': [4, 6, 20, 24],
        'outside': [70, 6, 20, 24],
        'inverted': [4, 6, -20, 24],
        'empty': [4, 6, 0, 24],
        'not finite': [4, 6, float('inf'), 24],
        'none': None,
        'crowd': [1, 1, 9, 9],
        'ignored': [1, 1, 9, 9],
        'of nothing': [1, 1, 9, 9],
    }
    annotations = [
        {'id': i, 'image_id': 1, 'category_id': 1, 'bbox': box, 'iscrowd': 0}
        for i, box in enumerate(boxes.values())
    ]
    annotations[6]['iscrowd'] = 1
    annotations[7]['ignore'] = 1
    annotations[8]['image_id'] = 5
    path = write('a.json', content(annotations=annotations))
    result = coco_to_odvg(path, tmp_path / 'b.jsonl')
    assert result.written['boxes'] == 1
    assert sum(result.dropped.counts.values()) == 8
    report = '\n'.join(result.lines())
    assert '1 boxes outside their picture' in report
    assert '4 annotations that have no box of positive size (2, 3, 4, 5)' in report
    assert '1 crowd boxes' in report
    assert '1 boxes to be ignored' in report
    assert '1 annotations that belong to pictures that it does not list (8)' in report


def test_a_picture_without_boxes_is_a_record(write, tmp_path: Path):
    path = write('a.json', content(annotations=[]))
    coco_to_odvg(path, tmp_path / 'b.jsonl')
    assert converted.lines(tmp_path / 'b.jsonl')[0]['detection'] == {'instances': []}


def test_labels_follow_ids_and_classes_asked_for(write, tmp_path: Path):
    categories = [{'id': 9, 'name': 'late'}, {'id': 0, 'name': 'early'}]
    annotations = [
        {'id': 1, 'image_id': 1, 'category_id': i, 'bbox': [1, 1, 9, 9]} for i in (9, 0)
    ]
    path = write('a.json', content(categories=categories, annotations=annotations))

    def labels(**kwargs):
        coco_to_odvg(path, tmp_path / 'b.jsonl', **kwargs)
        instances = converted.lines(tmp_path / 'b.jsonl')[0]['detection']['instances']
        return [(i['label'], i['category']) for i in instances]

    assert labels() == [(1, 'late'), (0, 'early')]
    assert labels(classes=['late', 'early']) == [(0, 'late'), (1, 'early')]
    assert labels(classes=['early']) == [(0, 'early')]
    with pytest.raises(DatasetError, match="'early'"):
        labels(classes=['earli'])


def test_coco_labels_are_those_of_all_80_classes(write, tmp_path: Path):
    categories = [{'id': 90, 'name': 'toothbrush'}]
    annotations = [{'id': 1, 'image_id': 1, 'category_id': 90, 'bbox': [1, 1, 9, 9]}]
    path = write('a.json', content(categories=categories, annotations=annotations))
    coco_to_odvg(path, tmp_path / 'b.jsonl', dataset='coco')
    instance = converted.lines(tmp_path / 'b.jsonl')[0]['detection']['instances'][0]
    assert instance['label'] == 79
    names = json.loads((tmp_path / 'coco2017_label_map.json').read_text())
    assert len(names) == 80
    assert names['0'] == 'person'
    with pytest.raises(DatasetError, match="'red'.*--dataset custom"):
        path = write('c.json', content())
        coco_to_odvg(path, tmp_path / 'd.jsonl', dataset='coco')


def test_objects365_v2(write, tmp_path: Path):
    images = [
        {'id': 5, 'file_name': 'images/v1/patch8/objects365_v1_00000005.jpg'},
        {'id': 6, 'file_name': 'images/v2/patch16/objects365_v2_00908726.jpg'},
        {'id': 908726, 'file_name': 'images/v2/patch16/objects365_v2_00908726.jpg'},
    ]
    images = [dict(image, width=9, height=9) for image in images]
    categories = [{'id': 1, 'name': 'Person'}, {'id': 2, 'name': 'Bakset'}]
    path = write('a.json', content(images=images, categories=categories))
    result = coco_to_odvg(path, tmp_path / 'b.jsonl', dataset='o365v2')
    names = [record['filename'] for record in converted.lines(tmp_path / 'b.jsonl')]
    assert names[0] == 'patch8/objects365_v1_00000005.jpg'
    assert len(names) == 2
    label_map = json.loads((tmp_path / 'o365v2_label_map.json').read_text())
    assert label_map == {'0': 'Person', '1': 'Basket'}
    assert 'Bakset -> Basket' in '\n'.join(result.lines())
    assert '1 pictures that were never published' in result.lines()[-1]


def test_own_pictures_with_the_ids_of_unpublished_ones_stay(write, tmp_path: Path):
    data = content()
    data['images'][0]['id'] = data['annotations'][0]['image_id'] = 6
    data['annotations'] = data['annotations'][:1]
    result = coco_to_odvg(write('a.json', data), tmp_path / 'b', dataset='o365v1')
    assert result.written['pictures'] == 1


def test_lvis_names_pictures_by_their_split(write, tmp_path: Path):
    data = content()
    del data['images'][0]['file_name']
    address = 'http://images.cocodataset.org/train2017/000000391895.jpg'
    data['images'][0]['coco_url'] = address
    coco_to_odvg(write('a.json', data), tmp_path / 'b.jsonl', dataset='lvis')
    record = converted.lines(tmp_path / 'b.jsonl')[0]
    assert record['filename'] == 'train2017/000000391895.jpg'
    assert (tmp_path / 'lvis_v1_label_map.json').exists()


@pytest.mark.parametrize('dataset', sorted(SOURCES))
def test_there_and_back(coco: Path, tmp_path: Path, dataset: str):
    if dataset == 'coco':
        coco = coco_folder.write(tmp_path, json.loads(coco.read_text()))
        text = coco.read_text().replace('red', 'cat').replace('green', 'dog')
        coco.write_text(text.replace('blue', 'cow'))
    output = tmp_path / 'b.jsonl'
    label_map = tmp_path / 'names.json'
    coco_to_odvg(coco, output, dataset=dataset, label_map=label_map)
    odvg_to_coco(output, tmp_path / 'c.json', label_map=label_map)
    boxes = converted.coco_boxes(coco)
    assert converted.coco_boxes(tmp_path / 'c.json') == boxes
    assert len(boxes) == 8


@pytest.mark.parametrize('name', SETS)
def test_files_of_any_layout_there_and_back(tmp_path: Path, name: str):
    written_by = caption_sets if name == 'captions' else set_folders
    source = written_by.write(tmp_path) / SETS[name]
    output = tmp_path / 'b.jsonl'
    result = coco_to_odvg(source, output)
    odvg_to_coco(output, tmp_path / 'c.json', like=source)
    boxes = converted.coco_boxes(source)
    assert converted.coco_boxes(tmp_path / 'c.json') == boxes
    assert not result.dropped.counts
    again, before = (
        json.loads(path.read_text())['categories']
        for path in (tmp_path / 'c.json', source)
    )
    assert again == before


def test_records_train_as_they_are(coco: Path):
    coco_to_odvg(coco)
    dataset = ODVGDataset(
        data_root=str(coco.parent),
        ann_file='annotations_od.json',
        label_map_file='annotations_od_label_map.json',
        data_prefix={'img': ''},
    )
    assert len(dataset) == 4
    record = dataset.get_data_info(1)
    assert record['text'] == ('red', 'green', 'blue')
    assert [i['bbox_label'] for i in record['instances']] == [1, 2]


def test_refuses_bad_files(write, coco: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match='absent.json'):
        coco_to_odvg(tmp_path / 'absent.json')
    with pytest.raises(DatasetError, match='folder'):
        coco_to_odvg(tmp_path)
    before = coco.read_text()
    with pytest.raises(DatasetError, match='--output'):
        coco_to_odvg(coco, coco)
    with pytest.raises(DatasetError, match='--output'):
        coco_to_odvg(coco, tmp_path / 'b', label_map=coco)
    with pytest.raises(DatasetError, match='two'):
        coco_to_odvg(coco, tmp_path / 'b', label_map=tmp_path / 'b')
    assert coco.read_text() == before
    with pytest.raises(DatasetError, match='nothing'):
        coco_to_odvg(write('a.json', content(images=[])), tmp_path / 'b')
    assert not (tmp_path / 'b').exists()
