import json
from pathlib import Path

import converted
import pytest
from PIL import Image

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
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DatasetError, match='XML'):
        voc_to_odvg(tmp_path / 'empty', tmp_path / 'out.jsonl')
    (tmp_path / 'empty' / 'bad.xml').write_text('<annotation>')
    with pytest.raises(DatasetError, match='bad.xml'):
        voc_to_odvg(tmp_path / 'empty', tmp_path / 'out.jsonl')


@pytest.mark.parametrize(
    ('file', 'named', 'recorded'),
    [
        ('n01_7.png', 'n01_7.png', 'n01_7.png'),
        ('n01_7.JPG', 'other.JPG', 'n01_7.JPG'),  # of the name the ending counts,
        ('other.png', 'C:\\x\\other.png', 'other.png'),  # unless it is there
        ('n01_7.png', 'n01_7', 'n01_7.png'),
        ('n01_7.png', 'n01_7.jpg', 'n01_7.png'),
        (None, 'n01_7.png', 'n01_7.png'),
        (None, '', 'n01_7.jpg'),
    ],
)
def test_ending_of_the_picture(folder, tmp_path, file, named, recorded):
    xml = folder / 'n01' / 'n01_7.xml'
    xml.write_text(xml.read_text().replace('<filename>x', f'<filename>{named}'))
    if file:
        Image.new('RGB', (100, 80)).save(folder / 'n01' / file, 'PNG')
    voc_to_odvg(folder, tmp_path / 'out.jsonl')
    (record, _) = converted.lines(tmp_path / 'out.jsonl')
    assert record['filename'] == f'n01/{recorded}'


@pytest.mark.parametrize(
    'size',
    [
        '<size><width>0</width><height>0</height></size>',
        '<size><width>-1</width><height>80</height></size>',
        '<size><width></width><height>x</height></size>',
        '<size/>',
        '',
    ],
)
@pytest.mark.parametrize('folders', [('xml', 'xml'), ('Annotations', 'JPEGImages')])
def test_sizes_that_are_none(tmp_path, size, folders):
    xml, pictures = (tmp_path / name for name in folders)
    for path in (xml, pictures):
        path.mkdir(exist_ok=True)
    Image.new('RGB', (100, 80)).save(pictures / 'a.jpg')
    start, _, end = XML.format(name='cat').partition('<size>')
    for name in 'ab':
        (xml / f'{name}.xml').write_text(start + size + end.partition('</size>')[2])
    result = voc_to_odvg(xml, tmp_path / 'out.jsonl')
    (record,) = converted.lines(tmp_path / 'out.jsonl')
    assert (record['filename'], record['width'], record['height']) == ('a.jpg', 100, 80)
    assert list(result.dropped.counts.values()) == [1]
    result = voc_to_odvg(xml, tmp_path / 'out.jsonl', images=pictures)
    assert result.written['pictures'] == 1


def test_what_cannot_be_used_is_left_out_and_counted(folder, tmp_path):
    other = '<object><name>{}</name>{}</object>'
    box = '<bndbox><xmin>{}</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>'
    others = (
        other.format('leaf', '<polygon><x1>1</x1><y1>2</y1></polygon>')
        + other.format('leaf', box.format('x'))
        + other.format(' ', box.format('1'))
        + other.format('leaf', box.format('nan'))
    )
    xml = folder / 'n01' / 'n01_7.xml'
    text = xml.read_text().replace('>100<', '>100.6<').replace('>10<', '>10.5<')
    xml.write_text(text.replace('</annotation>', f'{others}</annotation>'))
    (folder / 'bad.xml').write_text('<annotation>')
    result = voc_to_odvg(folder, tmp_path / 'out.jsonl')
    record, _ = converted.lines(tmp_path / 'out.jsonl')
    assert (record['width'], record['height']) == (100, 80)
    boxes = [i['bbox'] for i in record['detection']['instances']]
    assert boxes == [[0, 1, 10.5, 20]]
    assert sorted(result.dropped.counts.values()) == [1, 1, 1, 2]


def test_encodings_that_the_parser_does_not_know(tmp_path):
    text = '<?xml version="1.0" encoding="GBK"?>' + XML.format(name='\u732b')
    (tmp_path / 'a.xml').write_bytes(text.encode('gbk'))
    result = voc_to_odvg(tmp_path, tmp_path / 'out.jsonl')
    assert result.written['boxes'] == 1
    names = json.loads((tmp_path / 'out_label_map.json').read_text())
    assert names == {'0': '\u732b'}
