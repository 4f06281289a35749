"""The public detection sets as their annotation files are, each in miniature."""

import json

import coco_folder
import grounding_files
import numpy as np
import pytest

from glip.registry import DATASETS


def build(root, ann_file, img, **kwargs):
    return DATASETS.build(
        {
            'type': 'CocoDataset',
            'data_root': str(root),
            'ann_file': ann_file,
            'data_prefix': {'img': img},
        }
        | kwargs
    )


def image(number, **more):
    return {'id': number, 'width': 64, 'height': 48} | more


def annotation(number, image_id, category, **more):
    box = {'bbox': [4, 6, 20, 24], 'area': 480, 'iscrowd': 0}
    return {'id': number, 'image_id': image_id, 'category_id': category} | box | more


OBJECTS365_V1 = {
    'images': [image(9, file_name='obj365_train_000000000009.jpg')],
    'annotations': [annotation(1, 9, 301), annotation(2, 9, 2, iscrowd=1)],
    # not in the order of their ids
    'categories': [{'id': 301, 'name': 'head phone'}, {'id': 2, 'name': 'CD'}],
}
OBJECTS365_V2 = {
    'images': [
        image(1, file_name='images/v1/patch0/objects365_v1_00000001.jpg'),
        image(2, file_name='images/v2/patch16/objects365_v2_00908726.jpg'),
    ],
    'annotations': [
        annotation(1, 1, 1, isfake=0, isreflected=0),
        annotation(2, 2, 2, iscrowd=1),
    ],
    'categories': [{'id': 1, 'name': 'Person'}, {'id': 2, 'name': 'Cabinet/shelf'}],
}
OPEN_IMAGES = {
    'images': [image(1, file_name='000002b66c9c498e.jpg', neg_category_ids=[])],
    'annotations': [annotation(1, 1, 2, IsGroupOf=1), annotation(2, 1, 1)],
    'categories': [
        {'id': 1, 'name': 'Tortoise', 'freebase_id': '/m/011k07'},
        {'id': 2, 'name': 'Container', 'freebase_id': '/m/011q46kg'},
    ],
}
LVIS_V1 = {
    'images': [
        image(
            391895,
            coco_url='http://images.cocodataset.org/train2017/000000391895.jpg',
            neg_category_ids=[2],
            not_exhaustive_category_ids=[],
        )
    ],
    'annotations': [
        {k: v for k, v in annotation(1, 391895, 3).items() if k != 'iscrowd'}
    ],
    'categories': [
        {'id': 1, 'name': 'aerosol_can', 'frequency': 'c', 'synonyms': ['spray_can']},
        {'id': 2, 'name': 'bow_(weapon)', 'frequency': 'r'},
        {'id': 3, 'name': 'bow_(decorative_ribbons)', 'frequency': 'f'},
    ],
}
VISUAL_GENOME = {
    'images': [image(2417997, file_name='VG_100K_2/2417997.jpg')],
    'annotations': [annotation(1, 2417997, 1), annotation(2, 2417997, 2)],
    'categories': [{'id': 1, 'name': 'tree'}, {'id': 2, 'name': 'tree'}],
}
IMAGENET_OD = {
    'images': [
        image(1, file_name='ILSVRC2013_train/n02119789/n02119789_122.JPEG'),
        image(2, file_name='ILSVRC2014_train_0000/ILSVRC2014_train_00000001.JPEG'),
    ],
    'annotations': [annotation(1, 1, 200)],
    'categories': [
        {'id': i, 'name': f'class {i}', 'synset': 'n'} for i in range(1, 201)
    ],
}


@pytest.mark.parametrize(
    ('content', 'folder', 'labels', 'names'),
    [
        (OBJECTS365_V1, 'train/', (0, 1), ('head phone', 'CD')),
        (OBJECTS365_V2, 'train/', (0,), ('Person', 'Cabinet/shelf')),
        (OPEN_IMAGES, 'train/', (1, 0), ('Tortoise', 'Container')),
        (LVIS_V1, '', (2,), None),
        (VISUAL_GENOME, 'images/', (0, 0), ('tree',)),
        (IMAGENET_OD, 'train/', (199,), None),
    ],
)
def test_every_set_is_read(tmp_path, content, folder, labels, names):
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(content))
    first = content['images'][0]
    name = first.get('file_name') or 'train2017/000000391895.jpg'
    # On disk Objects365 v2 has the folders of its patches only.
    name = name.removeprefix('images/v1/')
    picture = tmp_path / folder / name
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b'')
    data = build(tmp_path, path.name, folder)
    assert len(data) == len(content['images'])
    record = data.get_data_info(0)
    assert record['img_path'] == str(picture)
    assert tuple(e['bbox_label'] for e in record['instances']) == labels
    assert record['instances'][0]['bbox'] == [4, 6, 24, 30]
    expected = names or tuple(c['name'] for c in content['categories'])
    assert record['text'] == data.metainfo['classes'] == expected
    assert all(
        data.get_data_info(i)['text'] is record['text'] for i in range(len(data))
    )


def test_crowds_of_objects365(tmp_path):
    path = tmp_path / 'annotations.json'
    path.write_text(json.dumps(OBJECTS365_V1))
    (tmp_path / OBJECTS365_V1['images'][0]['file_name']).write_bytes(b'')
    instances = build(tmp_path, path.name, '').get_data_info(0)['instances']
    assert [entry['ignore_flag'] for entry in instances] == [0, 1]


def test_names_of_coco_2014_are_kept(tmp_path):
    content = coco_folder.content(num_images=1)
    name = 'COCO_val2014_000000000042.jpg'
    address = f'http://images.cocodataset.org/val2014/{name}'
    content['images'][0] |= {'file_name': name, 'coco_url': address}
    path = coco_folder.write(tmp_path, content)
    assert build(tmp_path, path.name, '').get_sample(0).file_name == name


def test_many_classes_of_lvis(tmp_path):
    """Few classes per picture, most pictures absent, some boxes below a pixel."""
    rng = np.random.default_rng(0)
    content = {'images': [], 'annotations': [], 'categories': []}
    for i in rng.permutation(1230).tolist():
        content['categories'].append(
            {'id': i + 1, 'name': f'thing_{i}', 'synset': f'thing.n.{i}'}
        )
    for i in rng.permutation(60).tolist():
        name = f'{i:012d}.jpg'
        content['images'].append(
            {'id': i, 'file_name': name, 'width': 64, 'height': 48}
            | {'neg_category_ids': [], 'not_exhaustive_category_ids': []}
        )
        if i % 5 == 0:
            grounding_files.picture(tmp_path / 'val2017' / name)
        for category in rng.choice(1230, 4).tolist():
            size = rng.choice([0.4, 3, 8.5, 20], 2).tolist()
            content['annotations'].append(
                {'id': len(content['annotations']) + 1, 'image_id': i}
                | {'category_id': category + 1, 'bbox': [2.5, 3.25, *size]}
                | {'area': size[0] * size[1]}
            )
    (tmp_path / 'lvis.json').write_text(json.dumps(content))
    root = tmp_path
    data = build(root, 'lvis.json', 'val2017/', test_mode=True)
    assert len(data) == len(content['images']) and len(data.names) == 1230
    boxes = [len(data.get_sample(i).boxes) for i in range(len(data))]
    smaller = [a for a in content['annotations'] if min(a['bbox'][2:]) < 1]
    assert sum(boxes) == len(content['annotations']) - len(smaller) < 240
    present = {path.name for path in (root / 'val2017').iterdir()}
    names = {data.get_sample(i).file_name for i in range(len(data))}
    assert present <= names
    positions = {c['id']: i for i, c in enumerate(content['categories'])}
    labels = [label for i in range(len(data)) for label in data.get_sample(i).labels]
    assert sorted(set(labels)) == sorted(
        {
            positions[a['category_id']]
            for a in content['annotations']
            if min(a['bbox'][2:]) >= 1
        }
    )
