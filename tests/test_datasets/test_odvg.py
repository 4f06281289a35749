"""ODVG: both kinds of record, and what is wrong with a line."""

import json

import caption_sets
import grounding_files as files
import pytest

from glip.datasets.phrases import find_phrases
from glip.errors import DatasetError
from glip.registry import DATASETS

PIPELINE = [
    {'type': 'LoadImageFromFile'},
    {'type': 'LoadAnnotations', 'with_bbox': True},
    {'type': 'PackDetInputs'},
]


def dataset(tmp_path, *records, label_map=None, **kwargs):
    path = files.write_lines(tmp_path, records)
    if label_map is not None:
        (tmp_path / 'map.json').write_text(json.dumps(label_map))
        kwargs['label_map_file'] = 'map.json'
    cfg = {
        'type': 'ODVGDataset',
        'data_root': str(tmp_path),
        'ann_file': path.name,
        'data_prefix': {'img': ''},
        'pipeline': PIPELINE,
    }
    return DATASETS.build(cfg | kwargs)


def test_grounding_record(tmp_path):
    data = dataset(tmp_path, files.grounding())
    record = data.get_data_info(0)
    assert record['img_path'] == str(tmp_path / 'a.png')
    assert (record['width'], record['height'], record['img_id']) == (64, 48, 0)
    assert record['dataset_mode'] == 'VG' and record['text'] == files.CAPTION
    assert record['tokens_positive'] == tuple(files.SPANS)
    assert [e['bbox_label'] for e in record['instances']] == [0, 1, 2, 2]
    expected = [box for boxes in files.BOXES for box in boxes]
    assert [tuple(e['bbox']) for e in record['instances']] == expected
    assert data.get_cat_ids(0) == [0, 1, 2, 2]
    meta = data[0]['data_samples']
    assert meta.text == files.CAPTION and meta.tokens_positive == tuple(files.SPANS)
    assert meta.gt_instances.labels.tolist() == [0, 1, 2, 2]


def test_detection_record(tmp_path):
    record = files.detection((1, [1, 2, 11, 12]), ('0', [[0, 0, 9, 9], [1, 1, 5, 5]]))
    data = dataset(tmp_path, record, label_map={'1': 'dog', '0': 'hot dog'})
    assert data.metainfo['classes'] == ('hot dog', 'dog')
    info = data.get_data_info(0)
    assert info['dataset_mode'] == 'OD' and info['text'] == ('hot dog', 'dog')
    assert info['custom_entities'] is True and info['caption_prompt'] is None
    assert [e['bbox_label'] for e in info['instances']] == [1, 0, 0]
    assert 'tokens_positive' not in info
    prompt = {'dog': {'prefix': 'furry '}}
    with_prompt = dataset(
        tmp_path, record, label_map=['x', 'dog'], caption_prompt=prompt
    )
    assert with_prompt[0]['data_samples'].caption_prompt == prompt
    without = dataset(tmp_path, record, label_map=['x', 'dog'], need_text=False)
    assert 'text' not in without.get_data_info(0)


def test_a_phrase_in_the_singular_keeps_its_best_box(tmp_path):
    caption = 'A dog beside two dogs and a group'
    regions = [
        {'bbox': boxes, 'phrase': phrase, 'tokens_positive': [span], 'scores': scores}
        for phrase, span, boxes, scores in (
            ('A dog', [0, 5], [[0, 0, 9, 9], [1, 1, 20, 20]], [0.4, 0.5]),
            ('two dogs', [13, 21], [[2, 2, 9, 9], [3, 3, 9, 9]], [0.7, 0.5]),
            ('a group', [26, 33], [[4, 4, 9, 9], [5, 5, 9, 9]], [0.7, 0.6]),
        )
    ]
    record = {
        'filename': 'a.png',
        'height': 48,
        'width': 64,
        'grounding': {'caption': caption, 'regions': regions},
    }
    files.picture(tmp_path / 'a.png')
    sample = dataset(tmp_path, record, min_score=0.6, singular_score=0.4).get_sample(0)
    assert [phrase.boxes for phrase in sample.phrases] == [
        ((1, 1, 20, 20),),
        ((2, 2, 9, 9),),
        ((4, 4, 9, 9), (5, 5, 9, 9)),
    ]
    stricter = dataset(tmp_path, record, min_score=0.6, singular_score=0.55)
    assert len(stricter.get_sample(0).phrases) == 2


def test_both_kinds_in_one_file(tmp_path):
    records = [files.detection((0, [1, 2, 11, 12])), '', files.grounding()]
    data = dataset(tmp_path, *records, label_map={'0': 'dog'})
    assert [data.get_data_info(i)['dataset_mode'] for i in range(2)] == ['OD', 'VG']
    assert [data[i]['data_samples'].gt_instances.labels.tolist() for i in range(2)] == [
        [0],
        [0, 1, 2, 2],
    ]


def test_names_are_one_object_and_in_no_record(tmp_path):
    names = {str(i): f'class number {i}' for i in range(1000)}
    records = [files.detection((i, [1, 2, 11, 12])) for i in range(20)]
    data = dataset(tmp_path, *records, label_map=names)
    texts = {id(data.get_data_info(i)['text']) for i in range(20)}
    assert texts == {id(data.names)}
    assert len(data.data_bytes) < 20 * 150
    assert b'class number' not in data.data_bytes.tobytes()


def test_label_ids_may_have_gaps_and_classes_be_chosen(tmp_path):
    record = files.detection((3, [0, 0, 9, 9]), (90, [1, 1, 9, 9]), (7, [2, 2, 9, 9]))
    names = {'90': 'toothbrush', '3': 'car', '7': 'train'}
    data = dataset(tmp_path, record, label_map=names)
    assert data.names == ('car', 'train', 'toothbrush')
    assert data.get_sample(0).labels == (0, 2, 1)
    chosen = {'classes': ['toothbrush', 'car']}
    data = dataset(tmp_path, record, label_map=names, metainfo=chosen)
    assert data.get_sample(0).labels == (1, 0)
    with pytest.raises(DatasetError, match="did you mean 'toothbrush'"):
        dataset(tmp_path, record, label_map=names, metainfo={'classes': ['toothbrsh']})


def test_words_are_looked_up_where_there_are_no_spans(tmp_path):
    regions = [
        {'bbox': [1, 1, 9, 9], 'phrase': 'a dog'},
        {'bbox': [2, 2, 9, 9], 'phrase': 'a dog', 'tokens_positive': []},
        {'bbox': [3, 3, 9, 9], 'phrase': ['red', 'car']},
        {'bbox': [4, 4, 9, 9], 'phrase': 'a cat'},
    ]
    data = dataset(tmp_path, files.grounding(regions=regions))
    assert [p.spans for p in data.get_sample(0).phrases] == files.SPANS
    assert "1 phrases that the caption does not have (line 1: 'a cat')" in (
        data.dropped.summary()
    )


def test_same_characters_are_one_phrase(tmp_path):
    region = {'phrase': 'A dog', 'tokens_positive': [[0, 5]]}
    regions = [region | {'bbox': [1, 1, 9, 9]}, region | {'bbox': [2, 2, 9, 9]}]
    data = dataset(tmp_path, files.grounding(regions=regions))
    assert [len(p.boxes) for p in data.get_sample(0).phrases] == [2]


def test_boxes_of_a_teacher_below_the_threshold(tmp_path):
    regions = [
        files.REGIONS[0] | {'score': 0.2},
        files.REGIONS[1] | {'score': 0.9},
        files.REGIONS[2] | {'scores': [0.8, 0.1]},
    ]
    record = files.grounding(regions=regions)
    assert len(dataset(tmp_path, record).get_data_info(0)['instances']) == 4
    data = dataset(tmp_path, record, score_thr=0.5)
    sample = data.get_sample(0)
    assert [p.spans for p in sample.phrases] == files.SPANS[1:]
    assert [len(p.boxes) for p in sample.phrases] == [1, 1]
    assert '2 boxes with a score below 0.5 (line 1' in data.dropped.summary()
    again = dataset(tmp_path, record, min_score=0.85).get_sample(0)
    assert [p.scores for p in again.phrases] == [(0.9,)]
    plain = dataset(tmp_path, files.grounding(), score_thr=0.5)
    assert len(plain.get_data_info(0)['instances']) == 4  # people are not asked
    regions[2]['scores'] = [0.8]
    with pytest.raises(
        DatasetError, match='line 1: 2 boxes of a region but the scores'
    ):
        dataset(tmp_path, record)


def test_captions_without_boxes_are_all_negatives_or_left_out(tmp_path):
    empty = files.grounding(caption=' Nothing here. ', regions=[])
    data = dataset(tmp_path, empty, files.grounding())
    record = data.get_data_info(0)
    assert record['instances'] == [] and record['tokens_positive'] == (((1, 14),),)
    assert data[0]['data_samples'].gt_instances.labels.shape == (0,)
    filters = {'filter_empty_gt': True}
    data = dataset(tmp_path, empty, files.grounding(), filter_cfg=filters)
    assert len(data) == 1 and '1 pictures without boxes' in data.dropped.summary()
    with pytest.raises(DatasetError, match='none of its 1 pictures can be used'):
        dataset(tmp_path, empty, filter_cfg=filters)


def test_what_is_left_out_is_one_line(tmp_path):
    region = files.REGIONS[0]
    regions = [
        *files.REGIONS[1:],
        region | {'tokens_positive': [[0, 5], [30, 77]]},
        region | {'bbox': [9, 1, 1, 9], 'tokens_positive': [[2, 5]]},
        region | {'bbox': [90, 1, 99, 9], 'tokens_positive': [[2, 4]]},
    ]
    data = dataset(
        tmp_path,
        files.grounding(),
        files.grounding(regions=regions),
        files.grounding(caption='  ', regions=[]),
    )
    assert len(data) == 2
    assert data.get_sample(1).phrases[-1].spans == ((0, 5),)
    summary = data.dropped.summary()
    assert '\n' not in summary
    for said in (
        f'{tmp_path}/data.jsonl: left out',
        '1 spans beyond the caption (line 2: [30, 77) of 35 characters)',
        '1 boxes without size or inverted (line 2)',
        '1 boxes outside their picture or below a pixel (line 2)',
        '1 captions without words',
    ):
        assert said in summary


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        ('{"filename": "a.png", ', 'line 2: not JSON'),
        ('[1, 2]', 'line 2: a list, not a record'),
        ('\x00', 'line 2: not JSON'),
        ({'height': 4, 'width': 4, 'grounding': {}}, 'line 2: no "filename"'),
        ({'filename': 'a.png'}, 'line 2: neither "detection" nor "grounding"'),
        (files.grounding(caption=None), 'line 2: no caption'),
        (files.grounding() | {'grounding': {'regions': []}}, 'line 2: no caption'),
        (files.grounding() | {'grounding': ['x']}, '"grounding" is a list'),
        (files.grounding(regions=['x']), '"regions" must be a list of mappings'),
        (files.grounding() | {'width': None}, 'line 2: the picture has the size'),
        (files.detection((5, [0, 0, 9, 9])), 'line 2: label 5 is not in'),
        (files.detection(('x', [0, 0, 9, 9])), "line 2: label 'x' is not in"),
        (files.detection((None, [0, 0, 9, 9])), 'line 2: label None is not in'),
    ],
)
def test_bad_lines_are_named(tmp_path, line, said):
    with pytest.raises(DatasetError) as error:
        dataset(tmp_path, files.grounding(), line, label_map={'0': 'dog'})
    assert said in str(error.value) and 'data.jsonl' in str(error.value)
    assert '\n' not in str(error.value)


def test_detection_needs_a_label_map(tmp_path):
    record = files.detection((0, [0, 0, 9, 9]))
    with pytest.raises(DatasetError, match='line 1: .*set label_map_file'):
        dataset(tmp_path, record)
    with pytest.raises(DatasetError, match=r'not found: .*none\.json'):
        dataset(tmp_path, record, label_map_file='none.json')
    for content in ({}, [], {'x': 'dog'}, {'0': 3}, 'dog'):
        with pytest.raises(DatasetError, match='must map ids to names'):
            dataset(tmp_path, record, label_map=content)
    with pytest.raises(DatasetError, match=r'not found: .*none\.jsonl'):
        dataset(tmp_path, record, ann_file='none.jsonl')


def test_label_map_of_other_data_is_told(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('glip.datasets.odvg.warn', said.append)
    record = files.detection((0, [0, 0, 9, 9]))
    record['detection']['instances'][0]['category'] = 'cat'
    dataset(tmp_path, record, record, label_map={'0': 'dog'})
    (line,) = said
    assert "line 1: label 0 is 'cat' in the record but 'dog' in" in line


def test_many_captions(tmp_path):
    root = caption_sets.write(tmp_path, pictures=30)
    name = 'annotations/grounding_odvg_val2017.jsonl'
    data = DATASETS.build(
        {
            'type': 'ODVGDataset',
            'data_root': str(root),
            'ann_file': name,
            'data_prefix': {'img': 'val2017/'},
        }
    )
    lines = [json.loads(line) for line in (root / name).read_text().splitlines()]
    assert len(data) == len(lines)
    for i, line in enumerate(lines):
        sample = data.get_sample(i)
        regions = line['grounding']['regions']
        assert len(sample.phrases) == len(regions)
        for phrase, region in zip(sample.phrases, regions, strict=True):
            boxes = region['bbox']
            boxes = boxes if isinstance(boxes[0], list) else [boxes]
            assert phrase.boxes == tuple(map(tuple, boxes))
            (begin, end), *_ = phrase.spans
            assert sample.caption[begin:end] == region['phrase']
    assert not data.dropped
    # Without their spans the same phrases are found by their words.
    for line in lines:
        words = [region['phrase'] for region in line['grounding']['regions']]
        assert all(find_phrases(line['grounding']['caption'], words))
