"""A COCO file of others loses nothing; ours is read back and trains."""

import copy
import json

import pytest

from glip.apis import Detections
from glip.datasets import CocoDataset
from glip.errors import ConfigError, DatasetError
from glip.page.annotation_file import AnnotationFile


def boxes(*named, size=(160, 160)):
    names = [name for name, _ in named]
    return Detections(
        boxes=[corners for _, corners in named],
        scores=[1.0] * len(named),
        labels=[sorted(set(names)).index(name) for name in names],
        names=names,
        size=size,
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'annotations.json'


def read(path):
    return json.loads(path.read_text())


OTHERS = {
    'info': {'year': 2020},
    'licenses': [{'id': 1}],
    'images': [
        {'id': 7, 'file_name': 'one.png', 'width': 160, 'height': 160, 'license': 1},
        {'id': 9, 'file_name': 'elsewhere.png', 'width': 10, 'height': 10},
    ],
    'annotations': [
        {
            **{'id': 3, 'image_id': 7, 'category_id': 5, 'bbox': [20, 20, 80, 40]},
            **{'segmentation': [[20, 20, 100, 20, 100, 60]], 'area': 1600},
        },
        {
            'id': 4,
            'image_id': 7,
            'category_id': 5,
            'bbox': [0, 0, 10, 10],
            'iscrowd': 1,
        },
        {
            'id': 8,
            'image_id': 7,
            'category_id': 6,
            'bbox': [5, 5, 20, 20],
            'score': 0.4,
        },
        {'id': 5, 'image_id': 9, 'category_id': 6, 'bbox': [1, 1, 3, 3], 'note': 'x'},
    ],
    'categories': [
        {'id': 5, 'name': 'red', 'supercategory': 'colour', 'color': '#f00'},
        {'id': 6, 'name': 'blue', 'supercategory': 'colour'},
    ],
}


def test_a_file_that_is_not_there_yet_begins_empty(path, pictures):
    file = AnnotationFile(path, pictures)
    assert pictures / 'one.png' not in file and file.names == []
    file.put(pictures / 'one.png', boxes(('red', (20, 20, 100, 60))))
    file.put(pictures / 'two.png', boxes())
    content = read(path)
    assert [image['file_name'] for image in content['images']] == [
        'pictures/one.png',
        'pictures/two.png',
    ]
    (annotation,) = content['annotations']
    assert annotation['bbox'] == [20, 20, 80, 40] and annotation['area'] == 3200
    again = AnnotationFile(path, pictures)
    assert pictures / 'two.png' in again and pictures / 'three.png' not in again
    assert again.boxes_of(pictures / 'one.png', (160, 160)).boxes.tolist() == [
        [20, 20, 100, 60]
    ]


def test_pictures_without_boxes_alone_are_read_again(path, pictures):
    AnnotationFile(path, pictures).put(pictures / 'two.png', boxes())
    assert pictures / 'two.png' in AnnotationFile(path, pictures)


def test_what_is_written_is_a_data_set(path, pictures):
    file = AnnotationFile(path, pictures)
    file.put(pictures / 'one.png', boxes(('red', (20, 20, 100, 60))))
    file.put(pictures / 'two.png', boxes(('blue', (10, 10, 60, 70))))
    data_set = CocoDataset(
        ann_file=str(path), data_prefix=dict(img=f'{path.parent}/'), pipeline=[]
    )
    assert len(data_set) == 2 and data_set.metainfo['classes'] == ('red', 'blue')


def test_files_of_others_keep_what_they_say(path, pictures):
    path.write_text(json.dumps(OTHERS))
    file = AnnotationFile(path, pictures)
    one = pictures / 'one.png'
    assert one in file and pictures / 'two.png' not in file
    before = file.boxes_of(one, (160, 160))
    assert before.names == ['red', 'blue']
    assert before.scores.tolist() == pytest.approx([1.0, 0.4])
    file.put(one, before)
    assert read(path) == OTHERS
    file.put(one, boxes(('red', (20, 20, 100, 60)), ('green', (1, 2, 11, 22))))
    after = read(path)
    expected = copy.deepcopy(OTHERS)
    del expected['annotations'][2]
    new = after['annotations'].pop()
    assert (new['id'], new['image_id'], new['bbox']) == (9, 7, [1, 2, 10, 20])
    green = after['categories'].pop()
    assert green['name'] == 'green' and green['id'] == new['category_id'] == 7
    assert after == expected


def test_annotations_without_ids_are_taken_one_by_one(path, pictures):
    content = copy.deepcopy(OTHERS)
    for annotation in content['annotations']:
        del annotation['id']
    path.write_text(json.dumps(content))
    file = AnnotationFile(path, pictures)
    file.put(pictures / 'one.png', boxes(('red', (20, 20, 100, 60))))
    left = [a['bbox'] for a in read(path)['annotations']]
    assert left == [[20, 20, 80, 40], [0, 0, 10, 10], [1, 1, 3, 3]]


@pytest.mark.parametrize(
    'text',
    [
        '{',
        '[]',
        '{"images": [], "annotations": []}',
        json.dumps({**OTHERS, 'categories': []}),
        json.dumps({**OTHERS, 'images': [{'file_name': 'one.png'}]}),
    ],
)
def test_what_is_no_coco_file_is_left_as_it_is(path, pictures, text):
    path.write_text(text)
    with pytest.raises(DatasetError):
        AnnotationFile(path, pictures)
    assert path.read_text() == text


def test_a_place_that_cannot_be_written(tmp_path, pictures):
    (tmp_path / 'file').write_text('')
    with pytest.raises(ConfigError):
        AnnotationFile(tmp_path / 'file' / 'annotations.json', pictures)
    with pytest.raises(ConfigError):
        AnnotationFile(tmp_path, pictures)


def test_changes_of_another_program_are_not_overwritten(path, pictures):
    file = AnnotationFile(path, pictures)
    file.put(pictures / 'one.png', boxes())
    other = json.dumps(OTHERS)
    path.write_text(other)
    with pytest.raises(DatasetError):
        file.put(pictures / 'two.png', boxes())
    assert path.read_text() == other and pictures / 'two.png' not in file
