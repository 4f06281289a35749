"""MDETR's JSON: phrases by characters, evaluation by what is asked for."""

import json
from collections import defaultdict

import caption_sets
import grounding_files as files
import numpy as np
import pytest

from glip.datasets import Flickr30kDataset, MDETRDataset
from glip.errors import DatasetError
from glip.registry import DATASETS


def dataset(folder, content=None, **kwargs):
    path = files.write_mdetr(folder, files.mdetr() if content is None else content)
    return build(folder, path.name, '', **kwargs)


def build(root, ann_file, img, **kwargs):
    return DATASETS.build(
        {
            'type': 'MDETRDataset',
            'data_root': str(root),
            'ann_file': ann_file,
            'data_prefix': {'img': img},
        }
        | kwargs
    )


def test_boxes_of_the_same_characters_are_one_phrase(tmp_path):
    data = dataset(tmp_path)
    assert isinstance(data, MDETRDataset) and len(data) == 1
    record = data.get_data_info(0)
    assert record['img_id'] == 7 and record['dataset_mode'] == 'VG'
    assert record['text'] == files.CAPTION
    assert record['tokens_positive'] == tuple(files.SPANS)
    assert [e['bbox_label'] for e in record['instances']] == [0, 1, 2, 2]
    expected = [box for boxes in files.BOXES for box in boxes]
    assert [tuple(e['bbox']) for e in record['instances']] == expected


def test_equals_odvg_of_the_same(tmp_path):
    path = files.write_lines(tmp_path, [files.grounding()])
    odvg = build(tmp_path, path.name, '', type='ODVGDataset')
    assert odvg.get_sample(0).phrases == dataset(tmp_path).get_sample(0).phrases


def test_evaluation_asks_for_phrases(tmp_path):
    content = files.mdetr()
    asked = [files.SPANS[2], files.SPANS[0], ((6, 12),)]
    content['images'][0]['tokens_positive_eval'] = asked
    assert dataset(tmp_path, content).get_sample(0).phrases[0].spans == files.SPANS[0]
    data = dataset(tmp_path, content, test_mode=True, type='Flickr30kDataset')
    assert isinstance(data, Flickr30kDataset)
    record = data.get_data_info(0)
    assert record['tokens_positive'] == tuple(asked)
    assert record['phrases'] == ['red / car', 'A dog', 'chases']
    assert record['phrase_ids'] == [0, 0, 1]
    assert [e['bbox_label'] for e in record['instances']] == [0, 0, 1]
    assert '1 phrases that are not asked for (image 7)' in data.dropped.summary()


def test_referring_expressions_are_whole_captions(tmp_path):
    data = dataset(tmp_path, whole_caption=True, test_mode=True)
    (phrase,) = data.get_sample(0).phrases
    assert phrase.spans == ((0, len(files.CAPTION)),) and len(phrase.boxes) == 4


def test_mdetrs_referring_expressions_under_mmdets_name(tmp_path):
    content = files.mdetr()
    content['images'][0]['dataset_name'] = 'refcoco+'
    kind = 'MDETRStyleRefCocoDataset'
    record = dataset(tmp_path, content, type=kind, test_mode=True).get_data_info(0)
    assert record['tokens_positive'] == (((0, len(files.CAPTION)),),)
    assert record['dataset_name'] == 'refcoco+'
    assert {e['bbox_label'] for e in record['instances']} == {0}
    assert 'dataset_name' not in dataset(tmp_path, content).get_data_info(0)
    content['images'][0]['dataset_name'] = None
    record = dataset(tmp_path, content, type=kind, test_mode=True).get_data_info(0)
    assert 'dataset_name' not in record


def test_what_is_left_out_is_counted(tmp_path):
    content = files.mdetr()
    first = content['annotations'][0]
    content['annotations'] += [
        first | {'id': 10, 'image_id': 8},
        first | {'id': 11, 'iscrowd': 1},
        first | {'id': 12, 'bbox': [90, 90, 5, 5]},
        first | {'id': 13, 'bbox': [9, 9, -5, 5]},
        first | {'id': 14, 'bbox': None},
        first | {'id': 15, 'tokens_positive': [[30, 90]]},
        {k: v for k, v in first.items() if k != 'tokens_positive'} | {'id': 16},
    ]
    data = dataset(tmp_path, content)
    assert data.get_sample(0).phrases == dataset(tmp_path).get_sample(0).phrases
    assert data.dropped.counts == {
        'boxes of pictures that are not listed': 1,
        'boxes of crowds': 1,
        'boxes outside their picture or below a pixel': 1,
        'boxes without size or inverted': 1,
        'boxes that are not four finite numbers': 1,
        'spans beyond the caption': 1,
        'phrases left without words or boxes': 5,
    }


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        ([], 'holds a list'),
        ({'images': []}, 'has no list "annotations"'),
        (files.mdetr(images=[]), 'none of its 0 pictures'),
        (
            files.mdetr(
                images=[{'id': 7, 'file_name': 'a', 'width': 6, 'height': 4}],
            ),
            'images [7] have no caption',
        ),
        (files.mdetr(images=[{'id': 7, 'caption': 'x'}]), 'has no file_name'),
    ],
)
def test_bad_files_are_named(tmp_path, content, said):
    with pytest.raises(DatasetError) as error:
        dataset(tmp_path, content)
    assert said in str(error.value) and 'data.json' in str(error.value)


def test_many_captions(tmp_path):
    root = caption_sets.write(tmp_path, pictures=30)
    name = 'annotations/grounding_mdetr_val2017.json'
    content = json.loads((root / name).read_text())
    boxes = defaultdict(list)
    for annotation in content['annotations']:
        words = tuple(map(tuple, annotation['tokens_positive']))
        boxes[annotation['image_id'], words].append(annotation['bbox'])
    data = build(root, name, 'val2017/')
    evaluated = build(root, name, 'val2017/', test_mode=True)
    odvg = build(
        root,
        name.replace('mdetr', 'odvg') + 'l',
        'val2017/',
        type='ODVGDataset',
    )
    assert len(data) == len(evaluated) == len(odvg) == len(content['images'])
    phrases = 0
    for i, image in enumerate(content['images']):
        sample, other = data.get_sample(i), odvg.get_sample(i)
        assert (sample.file_name, sample.caption) == (
            image['file_name'],
            image['caption'],
        )
        assert (other.file_name, other.caption) == (sample.file_name, sample.caption)
        phrases += len(sample.phrases)
        for mine, theirs in zip(sample.phrases, other.phrases, strict=True):
            assert mine.spans == theirs.spans
            assert len(mine.boxes) == len(boxes[image['id'], mine.spans])
            for a, b in zip(mine.boxes, theirs.boxes, strict=True):
                assert a == pytest.approx(b)
        asked = evaluated.get_data_info(i)['tokens_positive']
        assert [[list(s) for s in e] for e in asked] == image['tokens_positive_eval']
    assert phrases == len(boxes) and not data.dropped and not evaluated.dropped


def test_many_referring_expressions(tmp_path):
    rng = np.random.default_rng(0)
    sentences = ('man on left', 'the "red" one, 2nd row', 'woman w/ hat', 'right')
    found = [
        {'sent': sentences[i % 4], 'gt_box': rng.uniform(5, 300, 4).round(2).tolist()}
        for i in range(40)
    ]
    content = {'images': [], 'annotations': []}
    for i, entry in enumerate(found):
        head = {'id': i, 'file_name': 'a.png', 'width': 640, 'height': 640}
        content['images'].append(head | {'caption': entry['sent']})
        content['annotations'].append(
            {'id': i, 'image_id': i, 'bbox': entry['gt_box'], 'category_id': 1}
        )
    data = dataset(tmp_path, content, whole_caption=True, test_mode=True)
    assert len(data) == len(found) and not data.dropped
    for i, entry in enumerate(found):
        record = data.get_data_info(i)
        ((begin, end),) = record['tokens_positive'][0]
        assert record['text'][begin:end] == entry['sent']
        x, y, w, h = entry['gt_box']
        expected = [x, y, x + w, y + h]
        assert record['instances'][0]['bbox'] == pytest.approx(expected, abs=0.5)
