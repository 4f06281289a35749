"""Loggers by name: what the config becomes, and a package that is not there."""

import importlib.util
import os
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from glip.config.loggers import apply_loggers
from glip.config.options import parse_value
from glip.errors import ConfigError


@pytest.fixture
def installed(monkeypatch):
    """Say which packages there are."""

    def pretend(*names: str):
        monkeypatch.setattr(
            importlib.util,
            'find_spec',
            lambda name: SimpleNamespace(name=name) if name in names else None,
        )

    return pretend


def backends(loggers, **visualizer) -> list[dict]:
    cfg = Config(dict(loggers=loggers))
    if visualizer:
        cfg.visualizer = visualizer
    apply_loggers(cfg)
    return [dict(backend) for backend in cfg.visualizer.vis_backends]


LOCAL = dict(type='LocalVisBackend')
BOARD = dict(type='TensorboardVisBackend')


def test_names_become_backends_behind_those_there_are(installed):
    installed('tensorboard', 'wandb', 'mlflow')
    assert backends('tensorboard') == [LOCAL, BOARD]
    assert backends(['tensorboard', 'mlflow'], vis_backends=[LOCAL]) == [
        *(LOCAL, BOARD),
        dict(type='MLflowVisBackend'),
    ]
    assert backends('tensorboard', vis_backends=[LOCAL, BOARD]) == [LOCAL, BOARD]
    run = dict(project='glip')
    assert backends(dict(wandb=dict(init_kwargs=run)))[1] == dict(
        type='WandbVisBackend', init_kwargs=run
    )


def test_the_command_line_can_say_them(installed):
    installed('tensorboard', 'wandb')
    for value, count in (('tensorboard', 2), ('tensorboard,wandb', 3)):
        assert len(backends(parse_value(value))) == count
    cfg = Config()
    cfg.merge_from_dict({'loggers.wandb.init_kwargs.project': 'glip'})
    apply_loggers(cfg)
    assert cfg.visualizer.vis_backends[1].init_kwargs.project == 'glip'


def test_mlflow_logs_to_its_server_or_else_to_files(installed, monkeypatch):
    installed('mlflow')
    monkeypatch.delenv('MLFLOW_TRACKING_URI', raising=False)
    monkeypatch.delenv('MLFLOW_ALLOW_FILE_STORE', raising=False)
    assert backends('mlflow')[1] == dict(type='MLflowVisBackend')
    assert os.environ.pop('MLFLOW_ALLOW_FILE_STORE') == 'true'
    monkeypatch.setenv('MLFLOW_TRACKING_URI', 'http://logs.example')
    assert backends('mlflow')[1]['tracking_uri'] == 'http://logs.example'
    own = dict(mlflow=dict(tracking_uri='http://mine.example'))
    assert backends(own)[1]['tracking_uri'] == 'http://mine.example'
    assert 'MLFLOW_ALLOW_FILE_STORE' not in os.environ


def test_nothing_wanted_nothing_changed(installed):
    installed()
    cfg = Config(dict(visualizer=dict(vis_backends=[LOCAL])))
    before = cfg.pretty_text
    apply_loggers(cfg)
    assert cfg.pretty_text == before
    cfg = Config()
    apply_loggers(cfg)
    assert 'visualizer' not in cfg


@pytest.mark.parametrize('name', ['tensorboard', 'wandb', 'mlflow'])
def test_a_missing_package_is_named(installed, name):
    installed()
    with pytest.raises(ConfigError, match=f'pip install {name}'):
        backends(name)


def test_so_it_is_of_a_backend_in_the_visualizer(installed):
    installed()
    for kind in ('WandbVisBackend', 'mmengine.WandbVisBackend'):
        cfg = Config(dict(visualizer=dict(vis_backends=[dict(type=kind)])))
        with pytest.raises(ConfigError, match='WandbVisBackend needs .*install wandb'):
            apply_loggers(cfg)


@pytest.mark.parametrize(
    'value,said',
    [
        ('tensorbord', "'tensorbord' is not known; there are tensorboard, wandb"),
        (7, 'loggers=7 must be a name'),
        (dict(wandb='glip'), "loggers.wandb='glip' must be a dict"),
    ],
)
def test_what_is_no_logger_is_refused(installed, value, said):
    installed('tensorboard', 'wandb')
    with pytest.raises(ConfigError, match=said):
        backends(value)
