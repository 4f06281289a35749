"""RefCOCO's family in the layout of its authors."""

import json
import pickle

import grounding_files as files
import pytest

from glip.datasets import RefCOCODataset
from glip.errors import DatasetError
from glip.registry import DATASETS

INSTANCES = {
    'images': [
        {'id': 7, 'file_name': 'COCO_train2014_7.jpg', 'width': 64, 'height': 48},
        {'id': 8, 'file_name': 'COCO_train2014_8.jpg', 'width': 64, 'height': 48},
    ],
    'annotations': [
        {'id': 1, 'image_id': 7, 'category_id': 3, 'bbox': [1, 2, 10, 20]},
        {'id': 2, 'image_id': 7, 'category_id': 3, 'bbox': [30, 2, 10, 20]},
        {'id': 3, 'image_id': 8, 'category_id': 3, 'bbox': [5, 5, 10, 20]},
    ],
    'categories': [{'id': 3, 'name': 'thing'}],
}


def refs():
    """Two sentences for one thing of val, one for another, one of testA."""
    made = []
    for number, (image, box, split, sentences) in enumerate(
        [
            (7, 1, 'val', ['left one', 'the small cup']),
            (7, 2, 'val', ['right']),
            (8, 3, 'testA', ['cup']),
        ]
    ):
        sents = [{'sent': s, 'raw': s.upper(), 'sent_id': 0} for s in sentences]
        made.append(
            {
                'ref_id': number,
                'image_id': image,
                'ann_id': box,
                'split': split,
                'sentences': sents,
            }
        )
    return made


@pytest.fixture
def folder(tmp_path):
    home = tmp_path / 'refcoco+'
    home.mkdir()
    (home / 'instances.json').write_text(json.dumps(INSTANCES))
    (home / 'refs(unc).p').write_bytes(pickle.dumps(refs(), protocol=2))
    for image in INSTANCES['images']:
        files.picture(tmp_path / 'train2014' / image['file_name'])
    return home


def dataset(folder, **kwargs):
    return DATASETS.build(
        {
            'type': 'RefCOCODataset',
            'data_root': str(folder),
            'data_prefix': {'img': '../train2014/'},
            'test_mode': True,
        }
        | kwargs
    )


def test_a_sample_for_each_sentence(folder):
    data = dataset(folder)
    assert isinstance(data, RefCOCODataset) and len(data) == 3
    records = [data.get_data_info(i) for i in range(3)]
    assert [r['text'] for r in records] == ['left one', 'the small cup', 'right']
    assert len({r['img_id'] for r in records}) == 3
    for record, box in zip(records, [[1, 2, 11, 22], [1, 2, 11, 22], [30, 2, 40, 22]]):
        assert record['dataset_name'] == 'refcoco+'
        assert record['tokens_positive'] == (((0, len(record['text'])),),)
        assert [e['bbox'] for e in record['instances']] == [box]
        assert record['img_path'].endswith('train2014/COCO_train2014_7.jpg')


def test_other_splits_names_and_json(folder):
    (folder / 'refs.json').write_text(json.dumps(refs()))
    data = dataset(folder, refs_file='refs.json', split='testA', dataset_name='mine')
    record = data.get_data_info(0)
    assert len(data) == 1 and record['text'] == 'cup'
    assert record['dataset_name'] == 'mine'
    (folder / 'refs(umd).p').write_bytes((folder / 'refs(unc).p').read_bytes())
    whole = str(folder / 'refs(umd).p')
    assert len(dataset(folder, refs_file=whole)) == 3


def test_bad_files_are_said(folder):
    with pytest.raises(DatasetError, match=r"no split 'test', but testA, val"):
        dataset(folder, split='test')
    with pytest.raises(DatasetError, match='data_root joined with refs_file') as error:
        dataset(folder, refs_file='refs(google).p')
    assert str(folder / 'refs(google).p') in str(error.value)
    with pytest.raises(DatasetError, match='annotation file not found'):
        dataset(folder, ann_file='none.json')
    with pytest.raises(DatasetError, match='has none of the first|is not there'):
        dataset(folder, data_prefix={'img': 'train2014/'})
    (folder / 'refs(unc).p').write_bytes(pickle.dumps(json.JSONDecoder))
    with pytest.raises(DatasetError, match='asks for json'):
        dataset(folder)
