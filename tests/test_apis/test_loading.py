"""Loading a model by config and weights, and what is said when that fails."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from standin import ColorFinder, make_config

from glip.apis import Detector, load
from glip.apis.loading import resolve_device
from glip.errors import CheckpointError, ConfigError


def test_config_and_weights(standin_files):
    detector = load(*standin_files)
    assert isinstance(detector, Detector)
    assert isinstance(detector.model, ColorFinder) and not detector.model.training
    assert detector.model.weight.tolist() == [1, 1]
    expected = 'cuda' if torch.cuda.is_available() else 'cpu'
    assert detector.device.type == expected


def test_config_in_memory(standin_files):
    assert load(make_config(), standin_files[1], 'cpu').device.type == 'cpu'


def test_on_a_cpu_freed_memory_is_kept(standin_files, monkeypatch):
    asked = []
    monkeypatch.setattr('glip.apis.loading.keep_freed_memory', lambda: asked.append(1))
    load(*standin_files, 'cpu')
    assert asked == [1]


def test_default_scope_is_left_as_it_was(standin_files):
    with DefaultScope.overwrite_default_scope('mmdet'):
        load(*standin_files)
        assert DefaultScope.get_current_instance().scope_name == 'mmdet'


def test_scope_of_the_config_does_not_matter(standin_files):
    load(make_config(default_scope='mmdet'), standin_files[1])


def test_config_of_several_data_sets(standin_files):
    cfg = make_config()
    dataset = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[dict(type='Wrapper', dataset=dataset)]
    )
    load(cfg, standin_files[1])


def test_without_weights(standin_files):
    with pytest.raises(ConfigError, match='weights'):
        load(standin_files[0])


@pytest.mark.parametrize('model', ['none.py', 'configs/none/none.py', 'no-such-model'])
def test_no_such_model(model):
    with pytest.raises(ConfigError, match='no'):
        load(model, 'w.pth')


def test_checkpoint_in_place_of_a_config(standin_files):
    with pytest.raises(ConfigError, match='CONFIG --weights'):
        load(standin_files[1])


@pytest.mark.parametrize(
    'text',
    [
        'x = 1',
        'model = dict(type="NoSuchDetector")',
        'model = [',
        'import no_such_module_',
        'model = 1 / 0',
        '_base_ = "no_such_base.py"',
    ],
)
def test_unusable_config(tmp_path, standin_files, text):
    path = tmp_path / 'bad.py'
    path.write_text(text)
    with pytest.raises(ConfigError, match='bad.py') as caught:
        load(str(path), standin_files[1])
    assert '\n' not in str(caught.value)


def test_config_without_a_pipeline(standin_files):
    cfg = Config(dict(model=make_config().model.to_dict()))
    with pytest.raises(ConfigError, match='test_dataloader'):
        load(cfg, standin_files[1])


def test_unusable_pipeline(standin_files):
    cfg = make_config()
    cfg.test_dataloader.dataset.pipeline[1].type = 'NoSuchTransform'
    with pytest.raises(ConfigError, match='NoSuchTransform'):
        load(cfg, standin_files[1])
    cfg = make_config()
    cfg.test_dataloader.dataset.pipeline.pop()
    with pytest.raises(ConfigError, match='PackDetInputs'):
        load(cfg, standin_files[1])


def test_weights_that_are_missing(standin_files):
    with pytest.raises(CheckpointError, match='gone.pth'):
        load(standin_files[0], 'gone.pth')


@pytest.mark.parametrize('device', ['gpu', 'cuda:99', ''])
def test_unusable_device(device):
    with pytest.raises(ConfigError, match='device'):
        resolve_device(device)
