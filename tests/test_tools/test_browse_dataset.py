"""Looking at data: what is written, what is counted, what is refused."""

import json
import re

import grounding_files
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def run(browse_tool, tiny, tmp_path, capsys):
    """Run on the tiny config; gives the folder and what was printed."""

    def run(*arguments, config=tiny / 'tiny.py'):
        folder = tmp_path / 'out'
        status = browse_tool([str(config), '-o', str(folder), *map(str, arguments)])
        out, err = capsys.readouterr()
        assert status == 0, err
        return folder, out

    return run


def articles(page) -> list[str]:
    return re.findall(r'<article.*?</article>', page.read_text(), re.S)


def test_page(run):
    folder, said = run()
    assert [p.name for p in folder.iterdir()] == ['index.html']
    found = articles(folder / 'index.html')
    assert len(found) == 4
    for article in found:
        assert article.count('<mark') == 2  # two of three classes have boxes
        assert article.count('stroke-width') == 2
        assert 'data:image/jpeg;base64,' in article
        assert '2 boxes' in article and 'of 256 tokens' in article
    absent = sum(article.count('class="absent"') for article in found)
    assert absent >= 1
    assert 'samples shown: 4' in said and 'boxes: 8 (2.0 per sample' in said
    asked = f'{8 + absent} asked for, 8 with boxes, {absent} without'
    assert f'phrases and classes: {asked}' in said
    assert str(folder / 'index.html') in said


def test_boxes_lie_where_the_colours_are(run):
    folder, _ = run('--mode', 'original', '--format', 'images')
    files = sorted(folder.iterdir())
    assert [f.name for f in files] == [f'00000{i}_{i}.jpg' for i in range(4)]
    # The left rectangle of the second picture is green, its frame is not.
    pixels = np.asarray(Image.open(files[1]).convert('RGB')).astype(int)
    scale = 480 / 64
    inside = pixels[round(20 * scale), round(14 * scale)]
    assert np.abs(inside - (30, 180, 40)).max() < 40
    frame = pixels[round(20 * scale), round(4 * scale) + 1]
    assert np.abs(frame - inside).max() > 60


def test_pages_and_numbers(run):
    folder, said = run('--number', 3, '--per-page', 2)
    assert len(articles(folder / 'index.html')) == 2
    second = folder / 'page_002.html'
    assert len(articles(second)) == 1 and 'href="index.html"' in second.read_text()
    assert '3 of 4 samples' in said
    folder, said = run('--index', 2)
    assert len(articles(folder / 'index.html')) == 1
    assert '2: ' in articles(folder / 'index.html')[0]


def test_steps_of_the_pipeline(run):
    folder, _ = run('--mode', 'pipeline', '-n', 1)
    headings = re.findall(
        r'<figcaption>(.*?)</figcaption>', (folder / 'index.html').read_text()
    )
    text = ', '.join(headings)
    assert text.startswith('LoadImageFromFile')
    assert text.endswith('RandomFlip_GLIP') and 'RandomSamplingNegPos' in text


def test_a_seed_decides_what_is_drawn(run):
    pages = [
        run('--seed', seed)[0].joinpath('index.html').read_text() for seed in (1, 1, 2)
    ]
    assert pages[0] == pages[1] != pages[2]


def test_other_splits(run):
    folder, said = run('--phase', 'val')
    assert len(articles(folder / 'index.html')) == 2 and 'samples shown: 2' in said


def test_captions(run, tiny, tmp_path):
    path = grounding_files.write_lines(tmp_path, [grounding_files.grounding()])
    config = tmp_path / 'captions.py'
    config.write_text(
        f"_base_ = '{tiny / 'tiny.py'}'\n"
        f"custom_data = dict(data_root='{tmp_path}', train='{path.name}', val=None)\n"
    )
    folder, said = run(config=config)
    (article,) = articles(folder / 'index.html')
    marked = re.findall(r'<mark.*?>(.*?)</mark>', article)
    assert sorted(marked) == ['A dog', 'a dog', 'car', 'red']
    assert article.count('stroke-width') == 4
    assert 'phrases and classes: 3 asked for, 3 with boxes' in said


def test_broken_picture_is_shown_as_skipped(run, tiny, tmp_path):
    lines = [grounding_files.grounding(), grounding_files.grounding()]
    lines[1]['filename'] = 'b.png'
    path = grounding_files.write_lines(tmp_path, lines)
    (tmp_path / 'b.png').write_bytes(b'no picture')
    config = tmp_path / 'captions.py'
    config.write_text(
        f"_base_ = '{tiny / 'tiny.py'}'\n"
        f"custom_data = dict(data_root='{tmp_path}', train='{path.name}', val=None)\n"
    )
    folder, said = run(config=config)
    assert 'samples skipped: 1' in said and 'b.png' in said
    assert 'skipped: ' in articles(folder / 'index.html')[1]


def test_mistakes_are_one_line(browse_tool, tiny, tmp_path, capsys):
    def error(*arguments, config=tiny / 'tiny.py'):
        assert browse_tool([str(config), *map(str, arguments)]) == 1
        out, err = capsys.readouterr()
        assert 'Traceback' not in err
        return err.strip().splitlines()[-1]

    taken = tmp_path / 'file'
    taken.write_text('')
    assert 'none.py' in error(config=tmp_path / 'none.py')
    assert str(taken) in error('-o', taken / 'x')
    assert 'no sample 9' in error('-o', tmp_path / 'o', '--index', 9)
    assert '--number' in error('--number', -1)
    option = 'custom_data.train.ann_file=none.json'
    assert 'none.json' in error('--cfg-options', option)
    option = 'custom_data.val=None'
    assert 'no val_dataloader' in error('-p', 'val', '--cfg-options', option)
    empty = tmp_path / 'empty.json'
    empty.write_text(json.dumps({'images': [], 'annotations': [], 'categories': []}))
    option = f'custom_data.train.ann_file={empty}'
    assert 'empty.json' in error('-o', tmp_path / 'o', '--cfg-options', option)
    with pytest.raises(SystemExit):
        browse_tool([str(tiny / 'tiny.py'), '--phase', 'all'])
