"""A teacher whose answers are known labels captions of every source."""

import io
import json
import tarfile

import numpy as np
import pytest
from colour_teacher import draw, write_teacher

from glip.errors import CheckpointError, ConfigError, DatasetError
from glip.teach.pseudo_labels import Screens, label, read_classes
from glip.text.tokenizer import Tokenizer

RED, GREEN, BLUE = (4, 6, 30, 40), (34, 8, 60, 30), (40, 40, 60, 60)
CAPTION = 'a red box and a green box beside a dog'
REGIONS = [
    {
        'bbox': list(RED),
        'phrase': 'a red box',
        'tokens_positive': [[0, 9]],
        'score': 0.9,
    },
    {
        'bbox': list(GREEN),
        'phrase': 'a green box',
        'tokens_positive': [[14, 25]],
        'score': 0.7,
    },
]


ONE_RED_BOX = {'phrase': 'one red box', 'tokens_positive': [[0, 11]]}


@pytest.fixture
def teacher(tmp_path):
    return write_teacher(tmp_path)


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / 'pictures'
    for number in range(5):
        draw(folder / f'{number}.png', red=RED, green=GREEN, blue=BLUE)
    return folder


def lines(path):
    return [json.loads(line) for line in open(path)]


def record(name, caption=CAPTION, regions=REGIONS, **more):
    return {
        'filename': name,
        'height': 64,
        'width': 64,
        **more,
        'grounding': {'caption': caption, 'regions': regions},
    }


def jsonl(folder, *entries, name='captions.jsonl'):
    path = folder / name
    texts = [e if isinstance(e, str) else json.dumps(e) for e in entries]
    path.write_bytes(b''.join(t.encode() + b'\n' for t in texts))
    return path


def test_jsonl(teacher, pictures, tmp_path):
    source = jsonl(
        pictures,
        {'image': '0.png', 'caption': CAPTION},
        {'image': '0.png', 'caption': 'the blue box'},
        {'image': '1.png', 'caption': ['a red box', 'a dog runs']},
    )
    labels = label(*teacher, source, tmp_path / 'out')
    assert labels.records == str(tmp_path / 'out' / 'labels.jsonl')
    assert lines(labels.records) == [
        record('0.png'),
        record('1.png', 'a red box', REGIONS[:1]),
    ]
    summary = labels.summary
    assert (summary['pictures'], summary['captions'], summary['records']) == (2, 4, 2)
    # Phrases: 3 of the first caption, and one of each other.
    assert (summary['phrases'], summary['phrases_without_boxes']) == (6, 3)
    assert summary['boxes'] == 3
    assert summary['screened'] == {'score': 1}  # the blue one
    assert summary['common_phrases_with_boxes'][0] == ['a red box', 2]
    assert ['a dog', 2] in summary['common_phrases_without_boxes']
    counts = dict(
        zip(summary['score_histogram']['edges'], summary['score_histogram']['counts'])
    )
    assert counts[0.9] + counts[0.85] == 2 and sum(counts.values()) == 3
    assert summary['boxes_per_phrase']['1'] == 3
    page = (tmp_path / 'out' / 'summary.html').read_text()
    assert 'a red box' in page and page.count('<figure') == 4


def test_coco_captions(teacher, pictures, tmp_path):
    content = {
        'images': [{'id': 7, 'file_name': '2.png'}, {'id': 8, 'file_name': '3.png'}],
        'annotations': [
            {'id': 1, 'image_id': 7, 'caption': CAPTION},
            {'id': 2, 'image_id': 9, 'caption': 'a red box'},
        ],
    }
    (tmp_path / 'captions.json').write_text(json.dumps(content))
    labels = label(
        *teacher, tmp_path / 'captions.json', tmp_path / 'out', data_root=pictures
    )
    assert lines(labels.records) == [record('2.png', image_id=7)]
    dropped = labels.summary['dropped']
    assert dropped['pictures without captions']['examples'] == ['3.png']
    assert dropped['captions of pictures that are not listed']['count'] == 1


def test_files_and_folders_of_files(teacher, pictures, tmp_path):
    for number in range(2):
        entry = {'image': f'{number}.png', 'caption': 'a red box'}
        jsonl(pictures, entry, entry | {'image': '2.png'}, name=f'c{number}.jsonl')
    several = [pictures / 'c0.jsonl', pictures / 'c1.jsonl']
    for captions in (str(pictures / 'c*.jsonl'), several):
        out = tmp_path / f'out{len(captions)}'
        labels = label(*teacher, captions, out, limit=3)
        names = [r['filename'] for r in lines(labels.records)]
        assert names == ['0.png', '2.png', '1.png']
    pytest.importorskip('webdataset')
    png = (pictures / '0.png').read_bytes()
    (tmp_path / 'tars').mkdir()
    for name in 'ab':
        members = {f'{name}.png': png, f'{name}.txt': b'a red box'}
        tar_of(tmp_path / 'tars' / f'{name}.tar', **members)
    labels = label(*teacher, tmp_path / 'tars', tmp_path / 'packed')
    assert labels.summary['records'] == 2
    with pytest.raises(DatasetError, match='2 files of captions'):
        (tmp_path / 'c.json').write_text('[]')
        label(*teacher, [several[0], tmp_path / 'c.json'], tmp_path / 'mixed')


def test_a_folder_with_text_files(teacher, tmp_path):
    folder = tmp_path / 'pictures'
    draw(folder / 'a.png', red=RED)
    draw(folder / 'deeper' / 'b.png', red=RED)
    (folder / 'a.txt').write_text('a red box\n\na red thing\n')
    draw(folder / 'c.PNG', red=RED)
    (folder / 'c.TXT').write_text('one red box')
    (folder / 'deeper' / 'b.txt').write_bytes(b'\xe9 \xff')
    labels = label(*teacher, folder, tmp_path / 'out')
    captions = [r['grounding']['caption'] for r in lines(labels.records)]
    assert captions == ['a red box', 'a red thing', 'one red box']
    assert labels.summary['dropped']['captions that are not UTF-8 text']['count'] == 1


def tar_of(path, **members):
    with tarfile.open(path, 'w') as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_tar_files_in_and_out(teacher, pictures, tmp_path):
    pytest.importorskip('webdataset')
    png = (pictures / '0.png').read_bytes()
    one = tar_of(
        tmp_path / 'in-0.tar',
        **{
            'a.png': png,
            'a.txt': CAPTION.encode(),
            'README': b'foreign',
            'b.png': png,
            'b.json': json.dumps({'caption': 'a red box', 'n': 1}).encode(),
            'c.png': b'no picture',
            'c.txt': b'a red box',
            'd.txt': b'a red box',
        },
    )
    whole = tar_of(
        tmp_path / 'whole.tar',
        **{'e.png': png, 'e.txt': b'a red box', 'f.png': png, 'f.txt': b'a red box'},
    ).read_bytes()
    two = tmp_path / 'in-1.tar'
    two.write_bytes(whole[: whole.index(b'f.png') + 600])
    labels = label(*teacher, [one, two], tmp_path / 'out')
    assert labels.records.endswith('labels-*.tar')
    packed = []
    for number in range(2):
        with tarfile.open(tmp_path / 'out' / f'labels-{number:06d}.tar') as tar:
            members = {m.name: tar.extractfile(m).read() for m in tar}
        names = sorted(members)
        assert [n.rpartition('.')[2] for n in names] == ['json', 'png'] * (
            len(names) // 2
        )
        assert all(members[n] == png for n in names if n.endswith('png'))
        packed += [json.loads(members[n]) for n in names if n.endswith('json')]
    assert packed == [
        record('a.png'),
        record('b.png', 'a red box', REGIONS[:1]),
        record('e.png', 'a red box', REGIONS[:1]),
    ]
    dropped = labels.summary['dropped']
    assert dropped['pictures that cannot be read']['count'] == 1
    assert dropped['tar files that are damaged or cut off']['count'] == 1
    assert dropped['members without an ending']['count'] == 1  # README
    assert dropped['members without a picture']['count'] == 1  # d


def test_dots_in_the_names_of_tar_files(teacher, pictures, tmp_path):
    pytest.importorskip('webdataset')
    png = (pictures / '0.png').read_bytes()
    captions = {'a.1.txt': b'a red box', 'a.txt': b'one red box', 'b.txt': b'a red box'}
    shard = tar_of(
        tmp_path / 'in.tar',
        **{'a.1.png': png, 'a.2.PNG': png, **captions},
        **{'b.png': png, 'b.mask.png': png, 'b.mask.txt': b'a dog'},
    )
    out = tmp_path / 'out'
    label(*teacher, shard, out)
    with tarfile.open(out / 'labels-000000.tar') as tar:
        records = [json.load(tar.extractfile(m)) for m in tar if 'json' in m.name]
    assert records == [
        record('a.1.png', 'a red box', REGIONS[:1]),
        record('a.2.png', 'one red box', [REGIONS[0] | ONE_RED_BOX]),
        record('b.png', 'a red box', REGIONS[:1]),
    ]


def test_classes_for_pictures_without_captions(teacher, pictures, tmp_path):
    (pictures / '4.txt').write_text('a red box')
    labels = label(
        *teacher,
        pictures,
        tmp_path / 'out',
        classes={'red box': 'box', 'green box': 'box', 'blue': 'sky'},
        screens=Screens(score_thr=0.2),
    )
    written = lines(labels.records)
    assert json.load(open(labels.label_map)) == {'0': 'box', '1': 'sky'}
    assert [r['filename'] for r in written] == [f'{n}.png' for n in range(5)]
    assert written[0]['detection']['instances'] == [
        {'bbox': list(RED), 'label': 0, 'category': 'box', 'score': 0.9},
        {'bbox': list(GREEN), 'label': 0, 'category': 'box', 'score': 0.7},
        {'bbox': list(BLUE), 'label': 1, 'category': 'sky', 'score': 0.3},
    ]
    assert 'grounding' in written[4]


def test_captions_that_cannot_be_used_are_counted(teacher, pictures, tmp_path):
    long = 'a red box on the table, ' * 500
    source = jsonl(
        pictures,
        *({'image': '0.png', 'caption': c} for c in ('', ' ', '?!', 7, None, '汉字')),
        {'image': '0.png', 'caption': long},
        '{"image": "1.png", "caption": "\\ud800"}',
        'no json',
        '[1]',
        '',
        {'caption': 'a red box'},
        {'image': 'absent.png', 'caption': 'a red box'},
        {'image': '1.png', 'caption': CAPTION},
    )
    with open(source, 'ab') as file:
        file.write(b'{"image": "2.png", "caption": "\xe9"}\n')
    labels = label(*teacher, source, tmp_path / 'out')
    *cut, last = lines(labels.records)
    assert last == record('1.png')
    for one in cut:  # cut where the teacher stops reading
        text = one['grounding']['caption']
        assert long.startswith(text)
        assert len(Tokenizer().tokenize(text)[0]) == 30
        for region in one['grounding']['regions']:
            begin, end = region['tokens_positive'][0]
            assert text[begin:end] == region['phrase'] == 'a red box'
    assert len(cut) == 1
    counts = {name: d['count'] for name, d in labels.summary['dropped'].items()}
    assert counts == {
        'captions cut off at 32 tokens': 1,
        'captions that are not UTF-8 text': 1,
        'captions without a noun phrase': 1,
        'captions without a word': 4,
        'empty captions': 2,
        'entries that are no mappings': 1,
        'entries without "image"': 1,
        'lines that are not JSON': 1,
        'pictures that cannot be read': 1,
    }


def test_pictures_outside_of_the_data_root_are_not_taken(teacher, pictures, tmp_path):
    draw(tmp_path / 'secret.png', red=RED)
    source = jsonl(
        pictures,
        {'image': str(tmp_path / 'secret.png'), 'caption': 'a red box'},
        {'image': '../secret.png', 'caption': 'a red box'},
        {'image': '0.png/../../secret.png', 'caption': 'a red box'},
        {'image': str(pictures / '3.png'), 'caption': 'a red box'},
    )
    labels = label(*teacher, source, tmp_path / 'out', to_shards=True)
    with tarfile.open(tmp_path / 'out' / 'labels-000000.tar') as tar:
        assert len(tar.getnames()) == 2
        member = next(n for n in tar.getnames() if n.endswith('.json'))
        assert json.load(tar.extractfile(member))['filename'] == '3.png'
    assert labels.summary['dropped']['pictures outside the data root']['count'] == 3


def test_bad_input_is_one_line(teacher, pictures, tmp_path):
    config, weights = teacher
    good = jsonl(pictures, {'image': '0.png', 'caption': 'a red box'})
    out = tmp_path / 'out'
    with pytest.raises(DatasetError, match='nowhere'):
        label(config, weights, tmp_path / 'nowhere', out)
    with pytest.raises(DatasetError, match='no folder'):
        label(config, weights, good, out, data_root=tmp_path / 'nowhere')
    with pytest.raises(DatasetError, match='none of the first 16'):
        entries = [{'image': f'{n}.jpg', 'caption': 'a'} for n in range(20)]
        missing = jsonl(pictures, *entries, name='missing.jsonl')
        label(config, weights, missing, tmp_path / 'missing')
    with pytest.raises(DatasetError, match='no label.*1 empty captions'):
        empty = jsonl(pictures, {'image': '0.png', 'caption': ''}, name='e.jsonl')
        label(config, weights, empty, tmp_path / 'empty')
    with pytest.raises(ConfigError, match='shard_size=0'):
        label(config, weights, good, out, shard_size=0)
    with pytest.raises(CheckpointError):
        label(config, good, good, out)
    with pytest.raises(ConfigError, match='score_thr=2'):
        Screens(score_thr=2)
    (tmp_path / 'file').write_text('')
    with pytest.raises(DatasetError, match='cannot be written'):
        label(config, weights, good, tmp_path / 'file')


def test_another_run_in_the_same_folder_is_refused(teacher, pictures, tmp_path):
    source = jsonl(pictures, {'image': '0.png', 'caption': CAPTION})
    first = label(*teacher, source, tmp_path / 'out')
    before = {p.name: p.read_bytes() for p in (tmp_path / 'out').iterdir()}
    assert label(*teacher, source, tmp_path / 'out').summary == first.summary
    with pytest.raises(ConfigError, match='score_thr'):
        label(*teacher, source, tmp_path / 'out', screens=Screens(score_thr=0.4))
    jsonl(pictures, {'image': '1.png', 'caption': CAPTION})
    with pytest.raises(ConfigError, match='captions'):
        label(*teacher, source, tmp_path / 'out')
    assert before == {p.name: p.read_bytes() for p in (tmp_path / 'out').iterdir()}


def test_the_cut_into_shares_does_not_matter(teacher, pictures, tmp_path):
    entries = [{'image': f'{n}.png', 'caption': CAPTION} for n in (0, 1, 2, 3, 4)]
    source = jsonl(pictures, *entries)
    one = label(*teacher, source, tmp_path / 'one')
    many = label(*teacher, source, tmp_path / 'many', shard_size=2, batch_size=1)
    assert len(list((tmp_path / 'many').glob('labels-*.jsonl'))) == 3
    assert lines(one.records) == lines(many.records)
    limited = label(*teacher, source, tmp_path / 'some', shard_size=2, limit=3)
    assert lines(limited.records) == lines(one.records)[:3]


def test_screens_in_their_order():
    boxes = np.array(
        [[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 52, 90], [0, 0, 9, 9]]
        + [[60 + n, 0, 70 + n, 10] for n in (0, 20, 40)],
        dtype=np.float32,
    )
    scores = np.array([0.9, 0.8, 0.7, 0.99, 0.4, 0.6, 0.55, 0.5], np.float32)
    labels = np.array([0, 0, 1, 0, 0, 2, 2, 2])
    screens = Screens(
        score_thr=0.5, min_size=4, nms_thr=0.6, max_per_phrase=2, max_per_picture=3
    )
    kept, stopped = screens(boxes, scores, labels)
    # 4: score; 3: two pixels wide; 1: IoU 0.82 with 0; 7: third of its phrase;
    # 6: fourth of the picture. 2 is where 0 is, but of another phrase.
    assert kept.tolist() == [0, 2, 5]
    assert stopped == {
        'score': 1,
        'size': 1,
        'overlap': 1,
        'phrase limit': 1,
        'picture limit': 1,
    }
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, int)
    assert Screens()(*none)[0].tolist() == []


def test_class_names_from_a_command_line(tmp_path):
    (tmp_path / 'names.txt').write_text('cat\n\ntraffic light\n')
    (tmp_path / 'names.json').write_text('{"kitten": "cat"}')
    assert read_classes(['cat', 'dog']) == ['cat', 'dog']
    assert read_classes([str(tmp_path / 'names.txt')]) == ['cat', 'traffic light']
    assert read_classes([str(tmp_path / 'names.json')]) == {'kitten': 'cat'}
    assert read_classes(['{"puppy": "dog"}']) == {'puppy': 'dog'}
    for bad in ('{"a": 1}', '[]', '{'):
        with pytest.raises(ConfigError):
            read_classes([bad])
