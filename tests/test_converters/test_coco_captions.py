"""Phrases of captions get the boxes they must mean, and no others."""

import json

import caption_sets
import pytest

from glip.datasets.converters.coco_captions import CaptionLinker, coco_captions_to_odvg
from glip.datasets.converters.coco_words import class_words
from glip.errors import DatasetError

NAMES = ['person', 'dog', 'dining table', 'bear', 'teddy bear', 'knife', 'scissors']
A, B = (0, 0, 10, 10), (20, 0, 30, 10)


def linked(caption, **boxes):
    found = CaptionLinker(NAMES).link(
        caption, {name.replace('_', ' '): value for name, value in boxes.items()}
    )
    return [(caption[begin:end], list(boxes)) for (begin, end), boxes in found]


@pytest.mark.parametrize(
    ('caption', 'boxes', 'expected'),
    [
        ('A man walks a dog.', dict(person=[A], dog=[B]), [('A man', A), ('a dog', B)]),
        ('A table in a room.', dict(dining_table=[A]), [('A table', A)]),
        ('The teddy bear sits.', dict(teddy_bear=[A], bear=[B]), ('The teddy bear', A)),
        ('A bear in the woods', dict(teddy_bear=[A]), []),
        ('A pair of scissors.', dict(scissors=[A]), ('scissors', A)),
    ],
)
def test_one_of_a_class(caption, boxes, expected):
    expected = [expected] if isinstance(expected, tuple) else expected
    found = linked(caption, **boxes)
    assert [boxes for _, boxes in found] == [[box] for _, box in expected]
    for (phrase, _), (words, _) in zip(found, expected, strict=True):
        assert phrase.endswith(words)


def test_several_need_a_plural():
    both = dict(dog=[A, B])
    assert linked('Two dogs on the grass', **both) == [('Two dogs', [A, B])]
    assert linked('A dog on the grass', **both) == []
    assert linked('Two dogs on the grass', dog=[A]) == []
    assert linked('Men with knives', person=[A, B], knife=[A, B]) == [
        ('Men', [A, B]),
        ('knives', [A, B]),
    ]


def test_a_class_spoken_of_twice_is_left_alone():
    assert linked('A man and a woman', person=[A]) == []


def test_words_of_classes():
    one, many = class_words(NAMES)
    assert one['woman'] == 'person' and many['women'] == 'person'
    assert many['knives'] == 'knife' and many['dining tables'] == 'dining table'
    assert one['bear'] == 'bear' and one['stuffed bear'] == 'teddy bear'
    assert one['scissors'] == many['scissors'] == 'scissors'


def write(folder):
    instances = {
        'images': [
            {'id': 1, 'file_name': 'a.jpg', 'width': 60, 'height': 40},
            {'id': 2, 'file_name': 'b.jpg', 'width': 60, 'height': 40},
        ],
        'categories': [{'id': 1, 'name': 'person'}, {'id': 2, 'name': 'dog'}],
        'annotations': [
            {'id': 1, 'image_id': 1, 'category_id': 2, 'bbox': [1, 2, 20, 30]},
            {'id': 2, 'image_id': 2, 'category_id': 1, 'bbox': [1, 2, 9, 9]},
            {
                'id': 3,
                'image_id': 2,
                'category_id': 1,
                'bbox': [5, 5, 40, 9],
                'iscrowd': 1,
            },
        ],
    }
    captions = {
        'annotations': [
            {'id': 7, 'image_id': 1, 'caption': ' A brown dog sleeps.\n'},
            {'id': 8, 'image_id': 2, 'caption': 'A man in a crowd.'},
            {'id': 9, 'image_id': 3, 'caption': 'A dog nobody annotated.'},
        ]
    }
    for name, content in (('instances', instances), ('captions', captions)):
        (folder / f'{name}.json').write_text(json.dumps(content))
    return folder / 'instances.json', folder / 'captions.json', folder / 'out.jsonl'


def test_records_and_counts(tmp_path):
    instances, captions, output = write(tmp_path)
    result = coco_captions_to_odvg(instances, captions, output)
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [record['filename'] for record in records] == ['a.jpg']
    assert records[0]['grounding'] == {
        'caption': 'A brown dog sleeps.',
        'regions': [
            {
                'bbox': [1, 2, 21, 32],
                'phrase': 'A brown dog',
                'tokens_positive': [[0, 11]],
            }
        ],
    }
    assert result.written == {'captions': 1, 'phrases': 1, 'boxes': 1}
    assert result.dropped.counts == {
        'captions without a phrase that must mean a box': 1,  # a crowd is no number
        'captions of pictures without boxes': 1,
    }


def test_files_of_another_kind_are_named(tmp_path):
    instances, captions, output = write(tmp_path)
    with pytest.raises(DatasetError, match='captions_'):
        coco_captions_to_odvg(instances, instances, output)
    with pytest.raises(DatasetError, match='images'):
        coco_captions_to_odvg(captions, captions, output)
    assert not output.exists()


def test_many_captions(tmp_path):
    folder = caption_sets.write(tmp_path, pictures=40) / 'annotations'
    output = tmp_path / 'out.jsonl'
    coco_captions_to_odvg(
        folder / 'instances_val2017.json', folder / 'captions_val2017.json', output
    )
    reference = {}
    for line in (folder / 'grounding_odvg_val2017.jsonl').read_text().splitlines():
        record = json.loads(line)
        key = record['filename'], record['grounding']['caption'].strip()
        reference[key] = {
            region['tokens_positive'][0][1] for region in record['grounding']['regions']
        }
    phrases = agreeing = 0
    for line in output.read_text().splitlines():
        record = json.loads(line)
        key = record['filename'], record['grounding']['caption']
        for region in record['grounding']['regions']:
            phrases += 1
            end = region['tokens_positive'][0][1]
            agreeing += end in reference.get(key, ())
    total = sum(map(len, reference.values()))
    assert agreeing / phrases > 0.95  # what is linked is right
    assert agreeing / total > 0.85  # and most of what can be is
