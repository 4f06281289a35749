"""With a tuning mode, too, two processes train like one with the doubled batch."""

from pathlib import Path

import pytest
import torch
import two_processes as two
from mmengine.config import Config
from safetensors.torch import load_file

from glip.apis import build_model
from glip.checkpoints import load_state_dict, save_state_dict
from glip.models.detectors import is_tuned

pytestmark = pytest.mark.slow

MODES = ('linear_probe', 'prompt', 'language')
NAMES = ['person', 'dog', 'zebra', 'traffic light', 'a very long name of a thing']


def config(folder: Path, mode: str, **more) -> Config:
    cfg = two.config(folder / mode, epochs=2, **more)
    cfg.load_from = str(folder.parent / 'start.safetensors')
    cfg.train_dataloader.dataset.names = NAMES
    # The rates of this config, with which steps are smooth.
    cfg.tuning = dict(mode=mode, lr=None, weight_decay=None)
    # Frozen parts act as in an evaluation, whatever is drawn in training.
    cfg.model.backbone.drop_path_rate = 0.5
    return cfg


def work(rank: int, folder: Path) -> None:
    for mode in MODES:
        two.train(config(folder, mode, batch_size=2, launcher='pytorch'))
    # The processes compute half of the features each, into one folder.
    kept = dict(cache_features=str(folder / 'features'))
    for place in ('first', 'again'):
        options = dict(batch_size=2, launcher='pytorch', **kept)
        two.train(config(folder / place / 'kept', 'prompt', **options))


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Results of two processes in ``two``, and of one in ``one``."""
    path = tmp_path_factory.mktemp('tuned')
    torch.manual_seed(0)
    model = build_model(Config(dict(model=two.MODEL)))
    for place in (path, path / 'two/first', path / 'two/again'):
        place.mkdir(parents=True, exist_ok=True)
        save_state_dict(model.state_dict(), place / 'start.safetensors')
    two.in_two_processes(work, path / 'two')
    for mode in MODES:
        two.train(config(path / 'one', mode))
    return path


def assert_close(ours, theirs) -> None:
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize('mode', MODES)
def test_training_is_that_of_one_process(folder, mode):
    start = load_file(folder / 'start.safetensors')
    runs = [folder / place / mode for place in ('two', 'one')]
    stored = [torch.load(run / 'epoch_2.pth', weights_only=False) for run in runs]
    assert_close(*(each['state_dict'] for each in stored))
    assert all(is_tuned(name, mode) for name in stored[0]['state_dict'])
    assert_close(*(load_file(run / f'{mode}.safetensors') for run in runs))
    changed = {
        name
        for name, tensor in load_state_dict(runs[0] / 'epoch_2.pth').items()
        if name not in start or not torch.equal(tensor, start[name])
    }
    assert changed and all(is_tuned(name, mode) for name in changed)


def test_kept_features_serve_both_processes(folder):
    features = list((folder / 'two' / 'features').rglob('*.safetensors'))
    assert len(features) == len(two.PICTURES)
    for place in ('first', 'again'):
        run = folder / 'two' / place / 'kept' / 'prompt'
        assert_close(
            load_file(run / 'prompt.safetensors'),
            load_file(folder / 'one' / 'prompt' / 'prompt.safetensors'),
        )
