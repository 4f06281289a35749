"""Flickr30k Entities in the form its authors publish."""

import re

import entities_folder
import grounding_files as files
import pytest

from glip.datasets import Flickr30kEntitiesDataset
from glip.datasets.flickr30k_entities import read_boxes, read_sentences
from glip.errors import DatasetError
from glip.registry import DATASETS

SENTENCES = """\
[/EN#1/people A man] holds [/EN#2/other/toys a ball] for [/EN#1/people the man 's] dog .
Nobody is [/EN#0/notvisual there] in [/EN#3/scene the park] .
"""
XML = """<annotation><filename>12.jpg</filename>
<size><width>64</width><height>48</height><depth>3</depth></size>
<object><name>1</name><name>9</name>
<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>40</ymax></bndbox></object>
<object><name>1</name>
<bndbox><xmin>4</xmin><ymin>2</ymin><xmax>64</xmax><ymax>48</ymax></bndbox></object>
<object><name>2</name>
<bndbox><xmin>9</xmin><ymin>9</ymin><xmax>12</xmax><ymax>12</ymax></bndbox></object>
<object><name>3</name><scene>1</scene><nobndbox>1</nobndbox></object>
</annotation>"""
CAPTION = "A man holds a ball for the man 's dog ."


@pytest.fixture
def folder(tmp_path):
    for name, text in (('Sentences/12.txt', SENTENCES), ('Annotations/12.xml', XML)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    files.picture(tmp_path / 'images/12.jpg')
    (tmp_path / 'val.txt').write_text('12\n')
    return tmp_path


def dataset(folder, **kwargs):
    return DATASETS.build(
        {
            'type': 'Flickr30kEntitiesDataset',
            'data_root': str(folder),
            'data_prefix': {'img': 'images/'},
            'ann_file': 'val.txt',
        }
        | kwargs
    )


def test_sentences_become_captions_with_phrases(folder):
    data = dataset(folder)
    assert isinstance(data, Flickr30kEntitiesDataset) and len(data) == 2
    record = data.get_data_info(0)
    assert record['text'] == CAPTION and record['img_id'] == '12_1'
    assert record['img_path'] == str(folder / 'images/12.jpg')
    words = [CAPTION[b:e] for ((b, e),) in record['tokens_positive']]
    assert words == ['A man', 'a ball', "the man 's"]  # one chain, two phrases
    assert [e['bbox_label'] for e in record['instances']] == [0, 0, 1, 2, 2]
    assert record['instances'][0]['bbox'] == [1, 2, 30, 40]
    assert record['instances'][4]['bbox'] == [4, 2, 64, 48]
    other = data.get_data_info(1)  # a scene and what cannot be seen have no box
    assert other['text'] == 'Nobody is there in the park .'
    assert other['instances'] == []
    assert len(dataset(folder, filter_cfg={'filter_empty_gt': True})) == 1
    assert len(dataset(folder, ann_file='')) == 2


def test_phrases_keep_their_types_for_evaluation(folder):
    data = dataset(folder, test_mode=True)
    record = data.get_data_info(0)
    assert record['phrase_types'] == (('people',), ('other', 'toys'), ('people',))
    assert 'phrase_types' not in data.get_data_info(1)  # which asks for nothing
    assert 'phrase_types' not in dataset(folder).get_data_info(0)


def test_an_evaluation_leaves_no_picture_out(folder):
    (folder / 'val.txt').write_text('12\n13\n')
    with pytest.raises(
        DatasetError, match=r'13\.xml is not there, which the picture 13'
    ):
        dataset(folder, test_mode=True)
    (folder / 'Annotations/13.xml').write_text(XML)
    with pytest.raises(DatasetError, match=r'13\.txt is not there') as error:
        dataset(folder, test_mode=True)
    assert str(folder / 'Sentences') in str(error.value)
    assert 'val.txt' in str(error.value) and '\n' not in str(error.value)
    assert len(dataset(folder)) == 2  # training goes on without it


def test_unrelated_captions_are_passed_over(folder):
    (folder / 'UNRELATED').write_text('# format: <imageID> <sentence number>\n12 1\n')
    data = dataset(folder, unrelated='UNRELATED')
    assert [data.get_sample(0).image_id] == ['12_2'] and len(data) == 1
    assert '1 unrelated captions (12 1)' in data.dropped.summary()


def test_what_is_missing_is_counted_or_an_error(folder):
    (folder / 'val.txt').write_text('12\n13\n14\n')
    (folder / 'Annotations/14.xml').write_text(XML)
    data = dataset(folder)
    assert data.dropped.counts == {
        'pictures without a file of boxes': 1,
        'pictures without a file of sentences': 1,
        'phrases without boxes': 2,
    }
    with pytest.raises(DatasetError, match=r'none\.txt cannot be read: No such'):
        dataset(folder, ann_file='none.txt')
    with pytest.raises(DatasetError, match='set data_root to where Sentences/'):
        dataset(folder, annotations='Annotation')
    with pytest.raises(DatasetError, match='has none of the first pictures'):
        dataset(folder, data_prefix={'img': 'Sentences'})
    (folder / 'Annotations/12.xml').write_text('<annotation><size>')
    with pytest.raises(DatasetError, match=r'12\.xml is not a file of boxes'):
        dataset(folder)
    (folder / 'Annotations/12.xml').write_text('<annotation></annotation>')
    with pytest.raises(DatasetError, match=r'12\.xml is not a file of boxes'):
        dataset(folder)


def test_many_files(tmp_path):
    root = entities_folder.write(tmp_path / 'entities')
    for path in sorted((root / 'Sentences').iterdir()):
        lines = [line for line in path.read_text().splitlines() if line.strip()]
        sentences = read_sentences(str(path))
        assert len(sentences) == len(lines)
        for line, (caption, phrases) in zip(lines, sentences, strict=True):
            assert len(phrases) == line.count('[/EN#')
            assert caption == re.sub(r'\[/EN#\S+ ([^\]]+)\]', r'\1', line).strip()
            for chain, (begin, end), types in phrases:
                assert re.search(
                    rf'/EN#{chain}/{"/".join(types)} {re.escape(caption[begin:end])}\]',
                    line,
                )
    expected = 0
    for path in sorted((root / 'Annotations').iterdir()):
        text = path.read_text()
        name, width, height, boxes = read_boxes(str(path))
        objects = text.split('<object>')[1:]
        named = sum(o.count('<name>') for o in objects if '<xmin>' in o)
        assert sum(map(len, boxes.values())) == named
        assert (name, width, height) == (f'{path.stem}.jpg', *entities_folder.SIZE)
        for line in (root / f'Sentences/{path.stem}.txt').read_text().splitlines():
            chains = re.findall(r'/EN#(\d+)/', line)
            expected += sum(len(boxes.get(chain, ())) for chain in chains)
    data = dataset(root, ann_file='', serialize_data=False)
    found = [len(data.get_data_info(i)['instances']) for i in range(len(data))]
    assert (
        sum(found) == expected - data.dropped.counts['boxes without size or inverted']
    )
    listed = dataset(root, ann_file='test.txt')
    ids = (root / 'test.txt').read_text().split()
    present = [i for i in ids if (root / f'Annotations/{i}.xml').exists()]
    assert {listed.get_sample(i).file_name for i in range(len(listed))} == {
        f'{i}.jpg' for i in present
    }
    missing = listed.dropped.counts['pictures without a file of boxes']
    assert missing == len(ids) - len(present)
