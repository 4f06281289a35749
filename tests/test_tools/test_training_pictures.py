"""Pictures of predictions while training, validating and testing."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope='module')
def train(tiny, train_tool, tmp_path_factory):
    """Train the tiny config with options; gives the work directory."""

    def run(*options):
        work_dir = tmp_path_factory.mktemp('run')
        arguments = [str(tiny / 'tiny.py'), '--work-dir', str(work_dir)]
        assert train_tool([*arguments, '--cfg-options', *options]) == 0
        return work_dir

    return run


def losses(work_dir) -> list[float]:
    (path,) = work_dir.glob('*/vis_data/scalars.json')
    entries = map(json.loads, path.read_text().splitlines())
    return [e['loss'] for e in entries if 'loss' in e]


def pictures(work_dir) -> list[str]:
    return sorted(p.name for p in work_dir.glob('*/vis_data/vis_image/*'))


HOOK = 'default_hooks.visualization.'
EPOCHS = 'train_cfg.max_epochs=2'


@pytest.mark.slow
def test_looking_on_changes_nothing(train):
    plain = train(EPOCHS, 'model.backbone.drop_path_rate=0.3')
    shown = train(
        EPOCHS, 'model.backbone.drop_path_rate=0.3', HOOK + 'train_interval=2'
    )
    assert len(losses(plain)) == 4 and losses(plain) == losses(shown)
    assert pictures(plain) == []
    assert pictures(shown) == ['train_img_2.png', 'train_img_4.png']


def test_annotation_and_finding_stand_side_by_side(train):
    work_dir = train(HOOK + 'train_interval=1', HOOK + 'score_thr=0.0')
    (path,) = work_dir.glob('*/vis_data/vis_image/train_img_1.png')
    pixels = np.asarray(Image.open(path).convert('RGB')).astype(int)
    assert pixels.shape[1] >= 2 * 480
    # The same picture twice: its first rectangle is red.
    red = np.abs(pixels - (220, 30, 30)).max(2) < 12
    left, right = red[:, : pixels.shape[1] // 2], red[:, pixels.shape[1] // 2 :]
    assert left.sum() > 5000 and right.sum() > 5000


def test_without_validation_the_data_to_train_on_is_watched(train):
    work_dir = train('custom_data.val=None', HOOK + 'train_interval=1')
    assert pictures(work_dir) == ['train_img_1.png', 'train_img_2.png']


def test_validation_pictures(train):
    work_dir = train(HOOK + 'draw=True', HOOK + 'interval=1')
    assert len(pictures(work_dir)) == 2
    assert all(name.startswith('val_img') for name in pictures(work_dir))


def test_negative_interval_is_one_line(tiny, tmp_path, train_tool, capsys):
    arguments = [str(tiny / 'tiny.py'), '--work-dir', str(tmp_path)]
    assert train_tool([*arguments, '--cfg-options', HOOK + 'train_interval=-1']) == 1
    assert 'train_interval' in capsys.readouterr().err.splitlines()[-1]
