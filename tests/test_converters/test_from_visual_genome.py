import json
from pathlib import Path
from typing import Any

import converted
import pytest

from glip.datasets.converters.from_visual_genome import visual_genome_to_odvg
from glip.errors import DatasetError


def thing(name: str, x: float = 1) -> dict[str, Any]:
    return {'object_id': 1, 'x': x, 'y': 2, 'w': 10, 'h': 20, 'names': [name, 'other']}


OBJECTS = [
    {'image_id': 1, 'objects': [thing('Cat'), thing('cat '), thing('the  dog')]},
    {'image_id': 2, 'objects': [thing('the dog'), thing('speck'), thing('', 3)]},
    {'image_id': 3, 'objects': [{'names': ['cat']}, thing('cat', 500)]},
    {'image_id': 4, 'objects': [thing('cat')]},
]
PICTURES = [
    {
        'image_id': number,
        'width': 100,
        'height': 80,
        'url': f'https://host/rak248/VG_100K_2/{number}.jpg',
        'coco_id': 17 if number == 2 else None,
    }
    for number in (1, 2, 3)
]


@pytest.fixture
def convert(write, tmp_path: Path):
    def run(objects: Any = OBJECTS, pictures: Any = PICTURES, **kwargs):
        return visual_genome_to_odvg(
            write('objects.json', objects),
            write('image_data.json', pictures),
            tmp_path / 'out.jsonl',
            **kwargs,
        )

    return run


def test_most_frequent_names_become_classes(convert, tmp_path: Path):
    result = convert(num_classes=2)
    names = json.loads((tmp_path / 'out_label_map.json').read_text())
    assert names == {'0': 'cat', '1': 'the dog'}
    first, second, third = converted.lines(tmp_path / 'out.jsonl')
    assert first['filename'] == 'VG_100K_2/1.jpg'
    assert [i['label'] for i in first['detection']['instances']] == [0, 0, 1]
    assert first['detection']['instances'][0]['bbox'] == [1, 2, 11, 22]
    assert len(second['detection']['instances']) == 1
    assert third['detection']['instances'] == []
    report = result.lines()[-1]
    assert '2 boxes of rare or missing names' in report
    assert '1 objects without a box' in report
    assert '1 boxes outside their picture' in report
    assert '1 pictures of unknown size (image 4)' in report


def test_pictures_of_coco_and_one_folder(convert, tmp_path: Path):
    result = convert(exclude_coco=True, flat=True)
    names = [record['filename'] for record in converted.lines(tmp_path / 'out.jsonl')]
    assert names == ['1.jpg', '3.jpg']
    assert '1 pictures of COCO (image 2)' in result.lines()[-1]


def test_other_files_are_refused(convert):
    with pytest.raises(DatasetError, match='entry 0.*image_id, objects'):
        convert(objects=PICTURES)
    with pytest.raises(DatasetError, match='list'):
        convert(pictures={})
    with pytest.raises(DatasetError, match='^0 classes'):
        convert(num_classes=0)


@pytest.mark.parametrize(
    'things', [None, 5, [5], [{'names': 5}], [{'names': {}}], [dict(thing('a'), x={})]]
)
def test_odd_objects_are_no_traceback(convert, things):
    result = convert(objects=[OBJECTS[0], {'image_id': 2, 'objects': things}])
    assert result.written['pictures'] == 2
    assert result.written['boxes'] == 3
