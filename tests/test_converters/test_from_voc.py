import json
from pathlib import Path

import converted
import pytest

from glip.datasets.converters.from_voc import voc_to_odvg
from glip.errors import DatasetError

XML = """<annotation><filename>x</filename>
<size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>{name}</name><bndbox><xmin>1</xmin><ymin>2</ymin>
<xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ('n02', 'n01'):
        path = tmp_path / 'xml' / name / f'{name}_7.xml'
        path.parent.mkdir(parents=True)
        path.write_text(XML.format(name=name))
    return tmp_path / 'xml'


def test_names_of_the_files(folder: Path, tmp_path: Path):
    result = voc_to_odvg(folder, tmp_path / 'out.jsonl', extension='.JPEG')
    first, second = converted.lines(tmp_path / 'out.jsonl')
    assert first == {
        'filename': 'n01/n01_7.JPEG',
        'height': 80,
        'width': 100,
        'detection': {
            'instances': [{'bbox': [0, 1, 10, 20], 'label': 0, 'category': 'n01'}]
        },
    }
    assert second['detection']['instances'][0]['label'] == 1
    assert result.written == {'pictures': 2, 'boxes': 2, 'classes': 2}


def test_names_of_a_list(folder: Path, tmp_path: Path):
    (tmp_path / 'names.txt').write_text('n00 rock\nn02 tench, Tinca tinca\n')
    result = voc_to_odvg(
        folder,
        tmp_path / 'out.jsonl',
        class_names=tmp_path / 'names.txt',
        first_pixel=0,
    )
    instance = converted.lines(tmp_path / 'out.jsonl')[1]['detection']['instances'][0]
    assert instance == {'bbox': [1, 2, 11, 21], 'label': 1, 'category': 'tench'}
    names = json.loads((tmp_path / 'out_label_map.json').read_text())
    assert names == {'0': 'rock', '1': 'tench'}
    assert (
        '1 boxes of classes that are not listed (n01_7.xml: n01)'
        in (result.lines()[-1])
    )


def test_bad_input_is_one_line(folder: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match='folder'):
        voc_to_odvg(tmp_path / 'absent', tmp_path / 'out.jsonl')
    with pytest.raises(DatasetError, match='.jsonl'):
        voc_to_odvg(folder, folder / 'n01' / 'n01_7.xml')
    (folder / 'bad.xml').write_text('<annotation><size/></annotation>')
    with pytest.raises(DatasetError, match='bad.xml'):
        voc_to_odvg(folder, tmp_path / 'out.jsonl')
    (folder / 'bad.xml').write_text('<annotation>')
    with pytest.raises(DatasetError, match='bad.xml'):
        voc_to_odvg(folder, tmp_path / 'out.jsonl')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='XML'):
        voc_to_odvg(tmp_path / 'empty', tmp_path / 'out.jsonl')
