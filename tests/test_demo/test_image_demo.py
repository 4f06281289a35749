"""The main job from the command line, run in process on a stand-in model."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

_DEMO = Path(__file__).resolve().parents[2] / 'demo'


@pytest.fixture
def pictures(tmp_path):
    """A folder of pictures: good, bad, unicode, of one name, and other things."""
    from standin import scene

    folder = tmp_path / 'pictures'
    folder.mkdir()

    def write(name, picture):
        Image.fromarray(np.ascontiguousarray(picture[..., ::-1])).save(folder / name)

    write('one.png', scene(120, 80, red=(10, 10, 110, 70)))
    write('one.bmp', scene(80, 120, blue=(10, 10, 70, 110)))
    write('été 一.PNG', scene(64, 64, red=(0, 0, 60, 60)))
    (folder / 'empty.jpg').touch()
    (folder / 'notes.txt').write_text('not a picture')
    (folder / 'sub').mkdir()
    return folder


@pytest.fixture
def demo(image_demo, standin_files, tmp_path, monkeypatch):
    """Run the script in an empty folder; options come after the input."""
    monkeypatch.chdir(tmp_path)
    config, weights = standin_files

    def run(inputs, *options):
        return image_demo.main([str(inputs), config, '--weights', weights, *options])

    return run


def test_one_picture(demo, pictures, tmp_path, capsys):
    assert demo(pictures / 'one.png', '--texts', 'red. blue') == 0
    out = capsys.readouterr().out
    assert 'red' in out and '0.62' in out  # 100 x 60 of 120 x 80
    vis, preds = tmp_path / 'outputs/vis/one.jpg', tmp_path / 'outputs/preds/one.json'
    assert 'outputs/vis/one.jpg' in out and 'outputs/preds/one.json' in out
    with Image.open(vis) as drawn:
        assert drawn.format == 'JPEG' and drawn.size == (120, 80)
    found = json.loads(preds.read_text())
    assert found['bboxes'][0] == pytest.approx([10, 10, 110, 70], abs=1.5)
    assert found['labels'] == [0] and found['label_names'] == ['red']
    assert found['scores'] == pytest.approx([0.625], abs=0.02)
    assert found['image'].endswith('one.png') and found['size'] == [120, 80]


@pytest.mark.parametrize('batch_size', ['1', '4'])
def test_folder(demo, pictures, tmp_path, capsys, batch_size):
    assert demo(pictures, '--texts', 'red. blue', '--batch-size', batch_size) == 0
    out, err = capsys.readouterr()
    names = {'one_png', 'one_bmp', 'été 一'}
    assert {path.stem for path in (tmp_path / 'outputs/preds').iterdir()} == names
    assert {path.stem for path in (tmp_path / 'outputs/vis').iterdir()} == names
    for name, label in (('one_png', 'red'), ('one_bmp', 'blue'), ('été 一', 'red')):
        found = json.loads((tmp_path / f'outputs/preds/{name}.json').read_text())
        assert found['label_names'] == [label]
    assert '3 of 4 pictures done' in out
    errors = [line for line in err.splitlines() if 'error:' in line]
    assert len(errors) == 1 and 'empty.jpg' in errors[0]


def test_folder_of_only_bad_pictures(demo, tmp_path, capsys):
    folder = tmp_path / 'bad'
    folder.mkdir()
    for name in 'ab':
        (folder / f'{name}.png').touch()
    assert demo(folder, '--texts', 'red') == 1
    assert capsys.readouterr().err.count('error:') == 2


@pytest.mark.parametrize(
    ('inputs', 'options', 'hint'),
    [
        ('none.jpg', ['--texts', 'red'], 'none.jpg'),
        ('pictures/empty.jpg', ['--texts', 'red'], 'empty'),
        ('pictures/notes.txt', ['--texts', 'red'], 'not a picture'),
        ('pictures/sub', ['--texts', 'red'], 'no pictures'),
        ('http://127.0.0.1:9/a.jpg', ['--texts', 'red'], 'cannot be reached'),
        ('pictures/one.png', [], '--texts'),
        ('pictures/one.png', ['--texts', ''], 'nothing'),
        ('pictures/one.png', ['--texts', '. ?'], ''),
        ('pictures/one.png', ['--texts', '{"a": 1}'], 'JSON'),
        ('pictures/one.png', ['--texts', '{"a"'], 'JSON'),
        ('pictures/one.png', ['--texts', '$: nodata'], 'nodata'),
        ('pictures/one.png', ['--texts', 'red', '-p', '[[['], '--tokens-positive'),
        ('pictures/one.png', ['--texts', 'red', '-p', '[[[0, 99]]]'], '99'),
        ('pictures/one.png', ['--texts', 'red', '--device', 'gpu'], 'gpu'),
        ('pictures/one.png', ['--texts', 'red', '--weights', 'no.pth'], 'no.pth'),
        ('pictures/one.png', ['--texts', 'red', '--out-dir', 'pictures/one.png'], ''),
    ],
)
def test_bad_input_is_one_line(demo, pictures, capsys, inputs, options, hint):
    assert demo(inputs, *options) == 1
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith('error: ') and hint in lines[0]
    assert out == ''


def test_bad_model_is_one_line(image_demo, pictures, capsys):
    for model in ('none.py', 'no-such-model', 'file.pth'):
        assert image_demo.main([str(pictures / 'one.png'), model, '--texts', 'a']) == 1
        assert model in capsys.readouterr().err


@pytest.mark.parametrize('flags', [['--batch-size', '0'], ['--palette', 'pink']])
def test_bad_flags(demo, pictures, flags):
    with pytest.raises(SystemExit) as caught:
        demo(pictures, '--texts', 'red', *flags)
    assert caught.value.code == 2


def test_threshold(demo, pictures, tmp_path, capsys):
    picture = pictures / 'one.png'
    assert demo(picture, '--texts', 'red', '--pred-score-thr', '0.9') == 0
    assert 'nothing found' in capsys.readouterr().out
    assert json.loads((tmp_path / 'outputs/preds/one.json').read_text())['bboxes'] == []


def test_writing_nothing(demo, pictures, tmp_path, capsys):
    options = ('--texts', 'red', '--no-save-vis', '--no-save-pred', '--print-result')
    assert demo(pictures / 'one.png', *options) == 0
    assert not (tmp_path / 'outputs').exists()
    printed = capsys.readouterr().out.splitlines()
    assert json.loads(printed[0])['label_names'] == ['red']


def test_out_dir_and_parts(demo, pictures, tmp_path):
    assert demo(pictures, '--texts', 'red', '--out-dir', 'a/b', '--no-save-pred') == 0
    assert [path.name for path in (tmp_path / 'a/b').iterdir()] == ['vis']


@pytest.mark.parametrize('palette', ['coco', 'voc', 'citys', 'random', 'none'])
def test_palettes(demo, pictures, tmp_path, palette):
    assert demo(pictures / 'one.png', '--texts', 'red', '--palette', palette) == 0
    drawn = cv2.imread(str(tmp_path / 'outputs/vis/one.jpg'))
    assert drawn.shape == (80, 120, 3)


@pytest.mark.parametrize(
    ('texts', 'options', 'names'),
    [
        ('red. blue', ['-c'], ['red']),
        ('["red", "blue"]', [], ['red']),
        ('a red thing', ['-p', '[[[2, 5]]]'], ['red']),
        ('red', ['--tokens-positive', '-1'], ['red']),
        ('red. blue', ['--chunked-size', '1'], ['red']),
        ('red. blue', ['-s', '-1'], ['red']),
        ('{"red": "crimson"}', [], ['crimson']),
    ],
)
def test_forms_of_text(demo, pictures, tmp_path, texts, options, names):
    assert demo(pictures / 'one.png', '--texts', texts, *options) == 0
    found = json.loads((tmp_path / 'outputs/preds/one.json').read_text())
    assert found['label_names'] == names


def test_show(demo, pictures, tmp_path, capsys, monkeypatch):
    import matplotlib.pyplot as plt

    waits = []
    monkeypatch.setattr(plt, 'waitforbuttonpress', lambda: waits.append(plt.gcf()))
    monkeypatch.setenv('DISPLAY', ':0')
    assert demo(pictures / 'one.png', '--texts', 'red', '--show') == 0
    assert len(waits) == 1
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr('sys.platform', 'linux')
    assert demo(pictures / 'one.png', '--texts', 'red', '--show') == 0
    assert 'no display' in capsys.readouterr().err and len(waits) == 1
    assert (tmp_path / 'outputs/vis/one.jpg').is_file()


def test_demo_pictures_are_described():
    page = (_DEMO / 'README.md').read_text()
    found = [*_DEMO.glob('*.jpg'), *_DEMO.glob('*.png')]
    assert len(found) >= 3
    for path in found:
        assert path.name in page
        assert path.stat().st_size <= 150_000
        with Image.open(path) as picture:
            assert max(picture.size) <= 800


@pytest.mark.parametrize(
    'options,mode',
    [
        ((), None),
        (('--compile',), 'default'),
        (('--compile', 'max-autotune'), 'max-autotune'),
    ],
)
def test_compile_is_handed_on(demo, pictures, monkeypatch, options, mode):
    seen = []
    monkeypatch.setattr(
        'glip.apis.loading.compile_for_inference',
        lambda model, options: seen.append(options),
    )
    assert demo(pictures / 'one.png', '--texts', 'red', *options) == 0
    assert seen == [dict(mode=mode) if mode else False]


def test_an_unknown_mode_of_compiling(demo, pictures, capsys):
    with pytest.raises(SystemExit):
        demo(pictures / 'one.png', '--texts', 'red', '--compile', 'fast')
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "'fast'" in message and 'reduce-overhead' in message
