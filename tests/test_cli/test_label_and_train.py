"""``glip label`` writes what ``glip train`` trains on."""

import json

import pytest
from mmengine.config import Config
from PIL import Image

from glip.cli.app import main
from glip.cli.train import write_config
from glip.datasets import CocoDataset
from glip.errors import ConfigError, GLIPError


@pytest.fixture
def many(pictures):
    for number in range(8):
        picture = Image.new('RGB', (120, 80), 'gray')
        picture.paste('red' if number % 2 else 'blue', (16, 16, 80, 64))
        picture.save(pictures / f'{number}.png')
    return pictures


MAP = '{"crimson": "red", "azure": "blue"}'


def label(folder, model, *options):
    return main(['label', str(folder), '--map', MAP, *model, *options])


def test_coco_is_split_and_readable(many, model, tmp_path, capsys):
    assert label(many, model) == 0
    out = tmp_path / 'pictures_labelled'
    assert 'glip train --data' in capsys.readouterr().out
    counts = {}
    for split in ('train', 'valid'):
        path = out / split / 'annotations.json'
        data = json.loads(path.read_text())
        assert [c['name'] for c in data['categories']] == ['red', 'blue']
        data_set = CocoDataset(
            ann_file=str(path), data_prefix=dict(img=f'{out / split}/'), pipeline=[]
        )
        counts[split] = len(data_set)
        assert all((out / split / i['file_name']).is_file() for i in data['images'])
    assert counts == {'train': 8, 'valid': 2}
    assert (out / 'review/index.html').stat().st_size > 1000


def test_a_second_run_looks_at_new_pictures_only(many, model, tmp_path, monkeypatch):
    assert label(many, model) == 0
    from glip.apis.detector import Detector

    seen = []
    stream = Detector.stream

    def counted(self, images, *args, **kwargs):
        images = list(images)
        seen.extend(images)
        return stream(self, images, *args, **kwargs)

    monkeypatch.setattr(Detector, 'stream', counted)
    assert label(many, model) == 0 and seen == []
    Image.new('RGB', (64, 64), 'red').save(many / 'new.png')
    (sorted((tmp_path / 'pictures_labelled/.boxes').glob('*.json'))[0]).write_text('{')
    assert label(many, model) == 0
    assert len(seen) in (1, 2)  # the cut-off record may be that of the settings
    assert main(['label', str(many), '--text', 'green', *model]) == 1


@pytest.mark.parametrize('layout', ['yolo', 'voc', 'label-studio', 'cvat'])
def test_other_layouts(many, model, tmp_path, layout):
    assert label(many, model, '--save', layout, '--out', 'set') == 0
    files = {
        p.relative_to(tmp_path / 'set').as_posix()
        for p in tmp_path.rglob('*.*')
        if p.is_file() and (tmp_path / 'set') in p.parents
    }
    expected = {
        'yolo': ['data.yaml', 'images/train/0.png', 'labels/train/0.txt'],
        'voc': ['JPEGImages/0.png', 'Annotations/0.xml', 'ImageSets/Main/val.txt'],
        'label-studio': ['label_studio.json', 'label_studio.xml', 'images/0.png'],
        'cvat': ['cvat.xml', 'images/0.png'],
    }[layout]
    flat = {file.replace('/val/', '/train/') for file in files}
    assert set(expected) <= flat


@pytest.mark.parametrize(
    'words',
    [
        [],
        ['--text', 'red', '--map', MAP],
        ['--map', '{"red": "a", "red": "b"}'],
        ['--map', '{"red": 3}'],
        ['--map', '[]'],
        ['--map', 'missing.json'],
        ['--text', 'red', '--save', 'xls'],
        ['--text', 'red', '--val-share', '1'],
    ],
)
def test_bad_input_is_one_line(many, model, capsys, words):
    assert main(['label', str(many), *words, *model]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith('error: ')


def test_the_config_of_a_training(many, model, tmp_path):
    assert label(many, model) == 0
    path = write_config(tmp_path / 'pictures_labelled', 'glip-tiny-a', 20, 4, None)
    cfg = Config.fromfile(path)
    assert cfg.epochs == 20 and cfg.load_from == 'glip-tiny-a'
    assert cfg.custom_data.batch_size == 4
    assert cfg.model.type == 'GLIP' and 'train_dataloader' in cfg
    nano = Config.fromfile(
        write_config(
            tmp_path / 'pictures_labelled', 'glip-nano', None, None, tmp_path / 'here'
        )
    )
    assert nano.load_from == 'glip-nano' and 'epochs' not in nano


def test_data_without_training_pictures(tmp_path, many):
    with pytest.raises(GLIPError):
        write_config(many, 'glip-nano', None, None, tmp_path / 'w')
    with pytest.raises(ConfigError, match='nanno'):
        folder = tmp_path / 'set/train'
        folder.mkdir(parents=True)
        (folder / 'annotations.json').write_text('{}')
        write_config(tmp_path / 'set', 'glip-nanno', None, None, tmp_path / 'w')


def test_train_takes_a_config_or_data(capsys):
    assert main(['train']) == 1
    assert main(['train', 'a.py', '--data', 'b']) == 1
    assert capsys.readouterr().err.count('error: ') == 2


def test_check_and_models_print(capsys):
    assert main(['check']) == 0
    out = capsys.readouterr().out
    assert 'torch:' in out and 'device:' in out
    assert main(['models']) == 0
    assert 'glip-nano' in capsys.readouterr().out


def test_tools_keep_their_flags(capsys):
    assert main(['test', '--help']) == 0
    assert '--show-dir' in capsys.readouterr().out
    assert main(['test']) == 2
