import json
from pathlib import Path
from typing import Any

import caption_sets
import pytest

from glip.datasets import MDETRDataset, read_coco
from glip.datasets.converters.from_odvg import odvg_to_coco, odvg_to_mdetr
from glip.errors import DatasetError


def detected(*instances: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        'filename': 'a.jpg',
        'height': 80,
        'width': 100,
        'detection': {'instances': list(instances)},
        **more,
    }


def grounded(caption: str, *regions: dict[str, Any]) -> dict[str, Any]:
    return {
        'filename': '000000000042.jpg',
        'height': 80,
        'width': 100,
        'grounding': {'caption': caption, 'regions': list(regions)},
    }


CAT = {'bbox': [1, 2, 11.5, 22], 'label': 0, 'category': 'cat'}
DOG = {'bbox': [1, 2, 11, 22], 'label': 3, 'category': 'dog'}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_coco_with_the_names_of_the_records(write, tmp_path: Path):
    path = write('a.jsonl', [detected(CAT, DOG), detected(image_id=7)])
    result = odvg_to_coco(path)
    assert result.path == str(tmp_path / 'a_coco.json')
    content = read(tmp_path / 'a_coco.json')
    assert content['categories'] == [{'id': 1, 'name': 'cat'}, {'id': 2, 'name': 'dog'}]
    assert [image['id'] for image in content['images']] == [1, 7]
    assert content['annotations'] == [
        {
            'id': 1,
            'image_id': 1,
            'category_id': 1,
            'bbox': [1, 2, 10.5, 20],
            'area': 210,
            'iscrowd': 0,
        },
        {
            'id': 2,
            'image_id': 1,
            'category_id': 2,
            'bbox': [1, 2, 10, 20],
            'area': 200,
            'iscrowd': 0,
        },
    ]
    assert result.written == {'pictures': 2, 'boxes': 2, 'categories': 2}


def test_coco_with_a_label_map(write, tmp_path: Path):
    del (bare := dict(CAT))['category']
    path = write('a.jsonl', [detected(bare)])
    with pytest.raises(DatasetError, match='line 1'):
        odvg_to_coco(path)
    names = write('names.json', {'0': 'lion', '1': 'elk'})
    odvg_to_coco(path, tmp_path / 'b.json', label_map=names, first_id=0)
    assert read(tmp_path / 'b.json')['categories'] == [
        {'id': 0, 'name': 'lion'},
        {'id': 1, 'name': 'elk'},
    ]
    write('a_label_map.json', {'0': 'beside'})
    odvg_to_coco(path, tmp_path / 'b.json')
    assert read(tmp_path / 'b.json')['categories'] == [{'id': 1, 'name': 'beside'}]


def test_coco_with_the_categories_of_another_file(write, tmp_path: Path):
    categories = [{'id': 90, 'name': 'dog', 'frequency': 'r'}, {'id': 3, 'name': 'cat'}]
    like = write('like.json', {'categories': categories})
    path = write('a.jsonl', [detected(CAT, DOG)])
    odvg_to_coco(path, tmp_path / 'b.json', like=like)
    content = read(tmp_path / 'b.json')
    assert content['categories'] == categories
    assert [a['category_id'] for a in content['annotations']] == [3, 90]
    like = write('like.json', {'categories': categories[1:]})
    with pytest.raises(DatasetError, match='dog'):
        odvg_to_coco(path, tmp_path / 'b.json', like=like)


def test_picture_ids_stay_distinct(write, tmp_path: Path):
    ids = [None, 5, 5, 'name', 1, True]
    path = write('a.jsonl', [detected(CAT, image_id=i) for i in ids])
    odvg_to_coco(path, tmp_path / 'b.json')
    found = [image['id'] for image in read(tmp_path / 'b.json')['images']]
    assert found[1] == 5
    assert len(set(found)) == len(ids)
    boxes = read_coco(tmp_path / 'b.json').boxes
    assert [len(boxes[i]) for i in found] == [1] * 6


def test_mdetr_layout(write, tmp_path: Path):
    region = {'bbox': [1, 2, 11, 22], 'phrase': 'cat', 'tokens_positive': [[2, 5]]}
    scored = dict(region, bbox=[[1, 2, 11, 22], [5, 5, 9, 9]], scores=[0.9, 0.25])
    path = write('a.jsonl', [grounded('a cat', region), grounded('a cat!', scored)])
    result = odvg_to_mdetr(path)
    content = read(tmp_path / 'a_mdetr.json')
    assert content['images'][1] == {
        'id': 2,
        'file_name': '000000000042.jpg',
        'height': 80,
        'width': 100,
        'original_img_id': 42,
        'sentence_id': 1,
        'caption': 'a cat!',
        'dataset_name': 'flickr',
        'tokens_negative': [[0, 6]],
        'tokens_positive_eval': [[[2, 5]]],
    }
    assert content['annotations'][0] == {
        'id': 1,
        'image_id': 1,
        'phrase_ids': 0,
        'category_id': 1,
        'bbox': [1, 2, 10, 20],
        'area': 200,
        'iscrowd': 0,
        'tokens_positive': [[2, 5]],
    }
    assert [a.get('score') for a in content['annotations']] == [None, 0.9, 0.25]
    assert result.written == {'captions': 2, 'phrases': 2, 'boxes': 3}
    (tmp_path / '000000000042.jpg').touch()
    dataset = MDETRDataset(
        ann_file=result.path, data_prefix={'img': str(tmp_path)}, test_mode=True
    )
    assert len(dataset) == 2


def test_same_keys_as_the_files_of_mdetr(tmp_path: Path):
    folder = caption_sets.write(tmp_path) / 'annotations'
    odvg_to_mdetr(folder / 'grounding_odvg_val2017.jsonl', tmp_path / 'b.json')
    real = read(folder / 'grounding_mdetr_val2017.json')
    made = read(tmp_path / 'b.json')
    assert made.keys() == real.keys()
    assert made['images'] == real['images']
    assert made['annotations'][0].keys() == real['annotations'][0].keys()


def test_each_kind_of_record_has_its_converter(write, tmp_path: Path):
    detection = write('a.jsonl', [detected(CAT)])
    grounding = write('b.jsonl', [grounded('a cat')])
    with pytest.raises(DatasetError, match='label_map_file|odvg2coco.py'):
        odvg_to_mdetr(detection)
    names = write('names.json', {'0': 'cat'})
    with pytest.raises(DatasetError, match='odvg2mdetr.py'):
        odvg_to_coco(grounding, label_map=names)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'a.jsonl',
        'b.jsonl',
        'names.json',
    ]


def test_bad_input_is_one_line(write, tmp_path: Path):
    path = write('a.jsonl', [detected(CAT), detected(dict(CAT, category='dog'))])
    with pytest.raises(DatasetError, match="line 2.*'dog'.*'cat'"):
        odvg_to_coco(path)
    with pytest.raises(DatasetError, match='--output'):
        odvg_to_coco(path, path)
    path.write_text('{"filename": ')
    with pytest.raises(DatasetError, match='line 1'):
        odvg_to_coco(path)
    path.write_text('')
    with pytest.raises(DatasetError, match='--label-map'):
        odvg_to_coco(path)
    with pytest.raises(DatasetError, match='nothing'):
        odvg_to_mdetr(path)
