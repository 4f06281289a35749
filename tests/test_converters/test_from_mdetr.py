import json
import pickle
from pathlib import Path

import caption_sets
import converted
import pytest

from glip.datasets.converters.from_mdetr import mdetr_to_odvg, refcoco_to_odvg
from glip.datasets.converters.from_odvg import odvg_to_mdetr
from glip.errors import DatasetError


def test_record(write, mdetr, tmp_path: Path):
    result = mdetr_to_odvg(write('a.json', mdetr))
    output = tmp_path / 'a_vg.json'
    assert result.path == str(output)
    assert converted.lines(output) == [
        {
            'filename': '7.jpg',
            'height': 80,
            'width': 100,
            'image_id': 7,
            'grounding': {
                'caption': 'a man beside a man with two dogs',
                'regions': [
                    {
                        'bbox': [1, 2, 11, 22],
                        'phrase': 'a man',
                        'tokens_positive': [[0, 5]],
                    },
                    {
                        'bbox': [30.5, 2, 40.75, 22],
                        'phrase': 'a man',
                        'tokens_positive': [[13, 18]],
                    },
                    {
                        'bbox': [[50, 40, 59, 49], [70, 40, 79, 49]],
                        'phrase': 'two dogs',
                        'tokens_positive': [[24, 32]],
                        'scores': [0.75, 0.5],
                    },
                    {
                        'bbox': [5, 5, 14, 14],
                        'phrase': ['a man', 'a man'],
                        'tokens_positive': [[0, 5], [13, 18]],
                    },
                ],
            },
        }
    ]
    assert result.written == {'captions': 1, 'phrases': 4, 'boxes': 5}
    assert '1 captions without a box (7.jpg)' in result.lines()[-1]


def test_there_and_back_keeps_spans_boxes_and_scores(write, mdetr, tmp_path: Path):
    source = write('a.json', mdetr)
    mdetr_to_odvg(source, tmp_path / 'b.jsonl')
    odvg_to_mdetr(tmp_path / 'b.jsonl', tmp_path / 'c.json')
    boxes = converted.mdetr_boxes(source)
    assert len(boxes) == 5
    assert converted.odvg_boxes(tmp_path / 'b.jsonl') == boxes
    assert converted.mdetr_boxes(tmp_path / 'c.json') == boxes


def test_captions_agree_with_their_odvg(tmp_path: Path):
    folder = caption_sets.write(tmp_path, pictures=30) / 'annotations'
    source = folder / 'grounding_mdetr_val2017.json'
    mdetr_to_odvg(source, tmp_path / 'b.jsonl')
    odvg_to_mdetr(tmp_path / 'b.jsonl', tmp_path / 'c.json')
    official = folder / 'grounding_odvg_val2017.jsonl'
    records = converted.lines(tmp_path / 'b.jsonl')
    for record in records:
        del record['image_id']
    assert records == converted.lines(official)
    boxes = converted.odvg_boxes(official)
    assert converted.mdetr_boxes(source) == boxes
    assert converted.mdetr_boxes(tmp_path / 'c.json') == boxes


def test_counts_what_cannot_be_used(write, mdetr, tmp_path: Path):
    bad = mdetr['annotations']
    bad[0]['tokens_positive'] = [[0, 99]]
    bad[1]['bbox'] = [200, 2, 5, 5]
    bad[2]['iscrowd'] = 1
    bad[3]['image_id'] = 1000
    bad[4]['tokens_positive'] = []
    mdetr['annotations'].append(dict(bad[4], id=6, tokens_positive=[[0, 5]]))
    result = mdetr_to_odvg(write('a.json', mdetr), tmp_path / 'b.jsonl')
    assert result.written == {'captions': 1, 'phrases': 1, 'boxes': 1}
    report = result.lines()[-1]
    for reason in (
        '1 spans beyond the caption',
        '1 boxes outside their picture',
        '1 boxes of crowds',
        '1 boxes of pictures that are not listed',
        '3 phrases left without words or boxes',
        '1 captions without a box',
    ):
        assert reason in report


def test_bad_files_are_one_line(write, mdetr, coco: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match='caption'):
        mdetr_to_odvg(coco, tmp_path / 'b.jsonl')
    source = write('a.json', mdetr)
    with pytest.raises(DatasetError, match='--output'):
        mdetr_to_odvg(source, source)
    mdetr['annotations'] = []
    with pytest.raises(DatasetError, match='nothing.*2 captions'):
        mdetr_to_odvg(write('a.json', mdetr), tmp_path / 'b.jsonl')
    assert not (tmp_path / 'b.jsonl').exists()


def test_folder_of_mdetr_files(write, mdetr, tmp_path: Path):
    for name in ('refcoco_train', 'refcoco+_train', 'refcocog_val'):
        write(f'in/finetune_{name}.json', mdetr)
    results = refcoco_to_odvg(tmp_path / 'in', tmp_path / 'out')
    assert [Path(result.path).name for result in results] == [
        'finetune_refcoco_train_vg.json',
        'finetune_refcoco+_train_vg.json',
    ]
    (result,) = refcoco_to_odvg(tmp_path / 'in', split='val')
    assert result.path == str(tmp_path / 'in' / 'finetune_refcocog_val_vg.json')
    (result,) = refcoco_to_odvg(tmp_path / 'in' / 'finetune_refcoco_train.json')
    assert converted.lines(result.path)
    with pytest.raises(DatasetError, match='finetune_refcoco_testA.json'):
        refcoco_to_odvg(tmp_path / 'in', split='testA')


REFS = [
    {
        'ref_id': 3,
        'ann_id': 1,
        'image_id': 1,
        'split': 'train',
        'sentences': [{'sent': 'red thing'}, {'sent': 'left one'}],
    },
    {
        'ref_id': 4,
        'ann_id': [1, 2],
        'image_id': 1,
        'split': 'train',
        'sentences': [{'sent': 'both'}],
    },
    {
        'ref_id': 5,
        'ann_id': [-1],
        'image_id': 1,
        'split': 'train',
        'sentences': [{'sent': 'the unicorn'}],
    },
    {
        'ref_id': 6,
        'ann_id': 2,
        'image_id': 1,
        'split': 'testA',
        'sentences': [{'sent': 'green thing'}],
    },
]


@pytest.fixture
def original(coco: Path) -> Path:
    """The folder of an original release."""
    coco.rename(coco.with_name('instances.json'))
    with (coco.parent / 'refs(unc).p').open('wb') as file:
        pickle.dump(REFS, file, protocol=2)
    return coco.parent


def test_original_release(original: Path):
    (result,) = refcoco_to_odvg(original)
    assert result.path == str(original / 'coco_train_vg.json')
    grounding = [record['grounding'] for record in converted.lines(result.path)]
    assert [g['caption'] for g in grounding] == ['red thing', 'left one', 'both']
    assert grounding[0]['regions'] == [
        {'bbox': [4, 6, 24, 30], 'phrase': 'red thing', 'tokens_positive': [[0, 9]]}
    ]
    assert len(grounding[2]['regions'][0]['bbox']) == 2
    assert '1 references to no box (ref 5)' in result.lines()[-1]
    (result,) = refcoco_to_odvg(original, split='testA')
    assert result.written == {'captions': 1, 'phrases': 1, 'boxes': 1}
    with pytest.raises(DatasetError, match="'val'.*testA, train"):
        refcoco_to_odvg(original, split='val')


def test_choice_between_splits_of_the_release(original: Path):
    (original / 'refs(google).p').write_bytes((original / 'refs(unc).p').read_bytes())
    with pytest.raises(DatasetError, match=r'refs\(google\).p, refs\(unc\).p'):
        refcoco_to_odvg(original)
    (result,) = refcoco_to_odvg(original, split_by='google')
    assert result.written['captions'] == 3


class Touch:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('protocol', range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_pickle_is_ever_executed(original: Path, tmp_path: Path, protocol: int):
    target = tmp_path / 'touched'
    refs = [dict(REFS[0], extra=Touch(target))]
    path = original / 'refs(unc).p'
    path.write_bytes(pickle.dumps(refs, protocol=protocol))
    with pytest.raises(DatasetError, match='plain'):
        refcoco_to_odvg(original)
    assert not target.exists()
    pickle.loads(path.read_bytes())
    assert target.exists()


@pytest.mark.parametrize(
    'data',
    [b'', b'no pickle', pickle.dumps([1]), pickle.dumps({}), pickle.dumps(REFS)[:-30]],
)
def test_damaged_references_are_one_line(original: Path, data: bytes):
    (original / 'refs(unc).p').write_bytes(data)
    with pytest.raises(DatasetError, match=r'refs\(unc\)'):
        refcoco_to_odvg(original)


def test_references_as_json(original: Path, write):
    (original / 'refs(unc).p').unlink()
    write('coco/grefs(unc).json', REFS)
    (result,) = refcoco_to_odvg(original)
    assert result.written['captions'] == 3


def test_boxes_without_a_usable_id_are_no_traceback(original: Path, write):
    content = json.loads((original / 'instances.json').read_text())
    del content['annotations'][0]['id']
    content['annotations'][1]['id'] = [1]
    write('coco/instances.json', content)
    with pytest.raises(DatasetError, match='nothing'):
        refcoco_to_odvg(original)
