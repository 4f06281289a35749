from pathlib import Path

import converted
import entities_folder
import pytest

from glip.datasets.converters.from_flickr30k import flickr30k_to_odvg
from glip.errors import DatasetError

SENTENCES = (
    '[/EN#1/people A man] feeds [/EN#2/animals two dogs] in [/EN#3/scene a park] .\n'
    '[/EN#1/people He] smiles .\n'
)
XML = """<annotation><filename>42.jpg</filename>
<size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>1</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax>
<ymax>40</ymax></bndbox></object>
<object><name>2</name><bndbox><xmin>50</xmin><ymin>60</ymin><xmax>60</xmax>
<ymax>70</ymax></bndbox></object>
<object><name>2</name><bndbox><xmin>70</xmin><ymin>60</ymin><xmax>80</xmax>
<ymax>70</ymax></bndbox></object>
<object><name>3</name><scene>1</scene><nobndbox>1</nobndbox></object>
</annotation>"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, content in (('Sentences/42.txt', SENTENCES), ('Annotations/42.xml', XML)):
        path = tmp_path / 'entities' / name
        path.parent.mkdir(parents=True)
        path.write_text(content)
    (tmp_path / 'train.txt').write_text('42\n43\n')
    return tmp_path / 'entities'


def test_sentences_become_records(root: Path, tmp_path: Path):
    result = flickr30k_to_odvg(root, tmp_path / 'out.jsonl')
    first, second = converted.lines(tmp_path / 'out.jsonl')
    assert first['filename'] == '42.jpg'
    assert first['grounding'] == {
        'caption': 'A man feeds two dogs in a park .',
        'regions': [
            {'bbox': [1, 2, 30, 40], 'phrase': 'A man', 'tokens_positive': [[0, 5]]},
            {
                'bbox': [[50, 60, 60, 70], [70, 60, 80, 70]],
                'phrase': 'two dogs',
                'tokens_positive': [[12, 20]],
            },
        ],
    }
    assert second['grounding']['regions'][0]['phrase'] == 'He'
    assert result.written == {'captions': 2, 'phrases': 3, 'boxes': 4}


def test_lists_choose_and_leave_out(root: Path, tmp_path: Path):
    (tmp_path / 'unrelated').write_text('42 2\n')
    result = flickr30k_to_odvg(
        root,
        tmp_path / 'out.jsonl',
        ids=tmp_path / 'train.txt',
        unrelated=tmp_path / 'unrelated',
    )
    assert result.written['captions'] == 1
    assert '1 unrelated captions' in result.lines()[-1]
    assert '1 pictures without a file of boxes (43)' in result.lines()[-1]


def test_many_sentences(tmp_path: Path):
    folder = entities_folder.write(tmp_path / 'entities')
    flickr30k_to_odvg(folder, tmp_path / 'out.jsonl')
    records = converted.lines(tmp_path / 'out.jsonl')
    assert len(records) >= 10
    for record in records:
        caption = record['grounding']['caption']
        assert '[' not in caption
        for region in record['grounding']['regions']:
            begin, end = region['tokens_positive'][0]
            assert caption[begin:end] == region['phrase']


def test_bad_input_is_one_line(root: Path, tmp_path: Path):
    with pytest.raises(DatasetError, match='Sentences'):
        flickr30k_to_odvg(tmp_path, tmp_path / 'out.jsonl')
    with pytest.raises(DatasetError, match='absent'):
        flickr30k_to_odvg(root, tmp_path / 'out.jsonl', ids=tmp_path / 'absent')
    with pytest.raises(DatasetError, match='--output'):
        flickr30k_to_odvg(root, tmp_path / 'train.txt', ids=tmp_path / 'train.txt')
    (root / 'Annotations' / '42.xml').write_text('<a>')
    with pytest.raises(DatasetError, match='42.xml'):
        flickr30k_to_odvg(root, tmp_path / 'out.jsonl')
    assert not (tmp_path / 'out.jsonl').exists()
