"""LVIS: names and files from the file, and minival."""

import json

import pytest
from mmengine.registry import DefaultScope
from PIL import Image

from glip.errors import ConfigError, DatasetError
from glip.registry import DATASETS

IMAGES = {1: 'val2017', 2: 'train2017', 3: 'val2017'}


@pytest.fixture
def root(tmp_path):
    content = {
        'images': [
            {
                'id': i,
                'width': 64,
                'height': 48,
                'coco_url': f'http://images.cocodataset.org/{folder}/{i:012d}.jpg',
                'neg_category_ids': [],
                'not_exhaustive_category_ids': [],
            }
            for i, folder in IMAGES.items()
        ],
        'annotations': [
            {'id': 1, 'image_id': 1, 'category_id': 5, 'bbox': [1, 2, 9, 9], 'area': 81}
        ],
        'categories': [
            {'id': 9, 'name': 'aerosol_can', 'frequency': 'c'},
            {'id': 5, 'name': 'bow_(weapon)', 'frequency': 'r'},
        ],
    }
    (tmp_path / 'lvis.json').write_text(json.dumps(content))
    for i, folder in IMAGES.items():
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.new('RGB', (64, 48)).save(tmp_path / folder / f'{i:012d}.jpg')
    return tmp_path


def ids(root, kind='LVISV1Dataset', **fields):
    fields = dict(data_root=str(root), ann_file='lvis.json') | fields
    with DefaultScope.overwrite_default_scope('glip'):
        data = DATASETS.build(
            dict(
                type=kind,
                data_prefix=dict(img=''),
                test_mode=True,
                pipeline=[dict(type='LoadImageFromFile')],
                **fields,
            )
        )
    assert all(data[i]['img'].shape == (48, 64, 3) for i in range(len(data)))
    return [data.get_data_info(i)['img_id'] for i in range(len(data))]


@pytest.mark.parametrize('kind', ['LVISV1Dataset', 'LVISV05Dataset', 'LVISDataset'])
def test_all_of_both_folders(root, kind):
    assert ids(root, kind) == [1, 2, 3]


def test_minival_by_rule_by_list_and_by_file(root):
    assert ids(root, subset='minival') == [1, 3]
    assert ids(root, subset=[3, 2]) == [2, 3]
    (root / 'ids.json').write_text('[3]')
    assert ids(root, subset='ids.json') == [3]
    (root / 'official.json').write_text(json.dumps({'images': [{'id': 1}]}))
    assert ids(root, subset=str(root / 'official.json')) == [1]


def test_mistakes(root):
    with pytest.raises(DatasetError, match='1 of the 2 image ids'):
        ids(root, subset=[1, 77])
    with pytest.raises(ConfigError, match='minival'):
        ids(root, subset=[])
    with pytest.raises(DatasetError, match='none.json'):
        ids(root, subset='none.json')
    content = json.loads((root / 'lvis.json').read_text())
    content['images'] = [i for i in content['images'] if i['id'] == 2]
    content['annotations'] = []
    (root / 'lvis.json').write_text(json.dumps(content))
    with pytest.raises(DatasetError, match='no minival'):
        ids(root, subset='minival')
