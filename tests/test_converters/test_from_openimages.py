import json
from pathlib import Path

import converted
import pytest
from PIL import Image

from glip.datasets.converters.from_openimages import openimages_to_odvg
from glip.errors import DatasetError

HEADING = (
    'ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,'
    'IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside'
)


def row(picture: str, label: str, x1, x2, y1, y2, group: int = 0) -> str:
    return f'{picture},xclick,{label},1,{x1},{x2},{y1},{y2},0,0,{group},0,0'


ROWS = [
    row('aa', '/m/1', 0.1, 0.5, 0.25, 0.75),
    row('aa', '/m/2', 0.0, 1.0, 0.0, 1.0),
    row('aa', '/m/2', 0.0, 0.9, 0.0, 1.0, group=1),
    row('bb', '/m/2', 0.5, 0.5, 0.0, 1.0),
    row('cc', '/m/1', 0.0, 1.0, 0.0, 1.0),
]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Tables and two of three pictures."""
    write_rows(tmp_path, ROWS)
    (tmp_path / 'names.csv').write_text('/m/1,Tortoise\n/m/2,"Coffee, hot"\n')
    (tmp_path / 'train').mkdir()
    for name in ('aa', 'bb'):
        Image.new('RGB', (200, 100)).save(tmp_path / 'train' / f'{name}.jpg')
    return tmp_path


def write_rows(folder: Path, rows: list[str]) -> None:
    (folder / 'boxes.csv').write_text('\n'.join([HEADING, *rows]) + '\n')


def convert(folder: Path, **kwargs):
    return openimages_to_odvg(
        folder / 'boxes.csv',
        folder / 'names.csv',
        folder / 'train',
        folder / 'out.jsonl',
        **kwargs,
    )


def test_boxes_in_pixels(release: Path):
    result = convert(release)
    first, second = converted.lines(release / 'out.jsonl')
    assert first == {
        'filename': 'aa.jpg',
        'height': 100,
        'width': 200,
        'image_id': 'aa',
        'detection': {
            'instances': [
                {'bbox': [20, 25, 100, 75], 'label': 0, 'category': 'Tortoise'},
                {'bbox': [0, 0, 200, 100], 'label': 1, 'category': 'Coffee, hot'},
            ]
        },
    }
    assert second['detection']['instances'] == []
    names = json.loads((release / 'openimages_label_map.json').read_text())
    assert names == {'0': 'Tortoise', '1': 'Coffee, hot'}
    assert result.written == {'pictures': 2, 'boxes': 2, 'classes': 2}
    report = result.lines()[-1]
    assert '1 boxes around a group of things' in report
    assert '1 pictures that are missing or unreadable (cc.jpg)' in report
    assert '1 boxes without size' in report


def test_groups_are_kept_on_request(release: Path):
    assert convert(release, keep_groups=True).written['boxes'] == 3


def test_heading_of_newer_class_files_is_no_class(release: Path):
    path = release / 'names.csv'
    path.write_text('LabelName,DisplayName\n' + path.read_text())
    assert convert(release).written['classes'] == 2


def test_pictures_as_stored_not_as_turned(release: Path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (200, 100)).save(release / 'train' / 'aa.jpg', exif=exif)
    convert(release)
    assert converted.lines(release / 'out.jsonl')[0]['width'] == 200


@pytest.mark.parametrize(
    'rows, message',
    [
        ([ROWS[0], ROWS[4], ROWS[1]], 'line 4.*aa'),
        ([ROWS[0], ROWS[1][:30]], 'line 3.*13 columns'),
        ([row('aa', '/m/9', 0, 1, 0, 1)], 'line 2.*/m/9'),
        ([row('aa', '/m/1', 'x', 1, 0, 1)], 'line 2'),
        ([], 'nothing'),
        ([ROWS[4]], 'nothing.*1 pictures'),
        ([row(f'x{i}', '/m/1', 0, 1, 0, 1) for i in range(20)], 'none.*16'),
    ],
)
def test_bad_tables_are_one_line(release: Path, rows: list[str], message: str):
    write_rows(release, rows)
    with pytest.raises(DatasetError, match=message):
        convert(release)
    assert not (release / 'out.jsonl').exists()
    assert not (release / 'openimages_label_map.json').exists()


def test_other_files_are_refused(release: Path):
    (release / 'boxes.csv').write_text('a,b\n1,2\n')
    with pytest.raises(DatasetError, match='ImageID, LabelName'):
        convert(release)
    (release / 'names.csv').write_text('a,b,c\n')
    with pytest.raises(DatasetError, match='a,b,c'):
        convert(release)
    (release / 'names.csv').write_bytes(b'\x1f\x8b\xff')
    with pytest.raises(DatasetError, match='line 1'):
        convert(release)
    (release / 'names.csv').unlink()
    with pytest.raises(DatasetError, match='names.csv'):
        convert(release)
