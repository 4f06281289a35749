"""What words of a command line stand for."""

import pytest
from PIL import Image

from glip.errors import ImageError
from glip.sources import Source, expand_sources


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('b.png', 'a.JPG', 'c.jp2', 'd.tga', 'sub/e.png', '.hidden/f.png'):
        path = tmp_path / 'set' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (4, 4)).save(path)
    for name in ('notes.md', 'more.md', 'clip.mp4', 'plain'):
        (tmp_path / 'set' / name).write_text('x')
    return tmp_path


def names(words, **options):
    return [source.name for source in expand_sources(words, **options).items]


def test_a_folder_lists_all_that_pillow_reads_and_counts_the_rest(folder):
    sources = expand_sources(['set'])
    files = ['a.JPG', 'b.png', 'c.jp2', 'clip.mp4', 'd.tga']
    assert [s.name for s in sources.items] == [f'set/{name}' for name in files]
    assert [s.kind for s in sources.items].count('video') == 1
    assert sources.skipped == {'.md': 2, '': 1}
    assert 'set/sub/e.png' in names(['set'], recursive=True)
    assert not any('hidden' in name for name in names(['set'], recursive=True))


def test_patterns_and_several_words(folder):
    assert names(['set/*.png', 'set/b.png', 'set/a.JPG']) == ['set/b.png', 'set/a.JPG']
    assert names(['set/**/*.png']) == ['set/b.png', 'set/sub/e.png']
    assert expand_sources(['set/*']).skipped.total() == 3


def test_a_name_with_brackets_is_a_file_before_it_is_a_pattern(folder):
    Image.new('RGB', (4, 4)).save(folder / 'a[1].png')
    assert names(['a[1].png']) == ['a[1].png']


def test_lists(folder):
    text = '\ufeff# pictures\nset/b.png\n\nhttps://x.org/p.jpg\n'
    (folder / 'list.txt').write_text(text, encoding='utf-8')
    assert names(['list.txt']) == ['set/b.png', 'https://x.org/p.jpg']
    (folder / 'list.txt').write_text('list.txt')
    with pytest.raises(ImageError, match='list'):
        names(['list.txt'])
    (folder / 'list.txt').write_bytes(b'\xff\xfe\xff')
    with pytest.raises(ImageError, match='UTF-8'):
        names(['list.txt'])


@pytest.mark.parametrize(
    ('word', 'kind'),
    [
        ('0', 'camera'),
        ('-', 'stdin'),
        ('rtsp://host/stream', 'stream'),
        ('https://x.org/live.m3u8', 'stream'),
        ('https://x.org/a.mp4?x=1', 'video'),
        ('https://x.org/a', 'picture'),
        ('missing.jpg', 'picture'),
        ('missing.MOV', 'video'),
    ],
)
def test_kinds(folder, word, kind):
    assert expand_sources([word]).items == [Source(kind, word)]


@pytest.mark.parametrize('word', ['*.gif', 'set/sub2/*', 'empty'])
def test_nothing_there_is_one_line(folder, word):
    (folder / 'empty').mkdir()
    with pytest.raises(ImageError):
        expand_sources([word])
