"""What ``tuning`` does to a config."""

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.config.flags import prepare_config
from glip.errors import ConfigError

TEXT = """
model = dict(type='GLIP')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=3e-4, weight_decay=0.1),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text(TEXT)
    return file


def rates(cfg) -> tuple[float, float]:
    optimizer = cfg.optim_wrapper.optimizer
    return optimizer.lr, optimizer.weight_decay


@pytest.mark.parametrize(
    ('mode', 'expected'),
    [
        ('linear_probe', (1e-4, 0.05)),
        ('prompt', (0.05, 0.25)),
        ('language', (1e-5, 0.05)),
    ],
)
def test_rates_are_those_of_the_original(path, mode, expected):
    cfg = Config.fromfile(path)
    cfg.tuning = mode
    resolved = resolve(cfg)
    assert resolved.model.tuning == mode
    assert rates(resolved) == expected
    assert resolved.optim_wrapper.optimizer.type == 'AdamW'
    assert resolved.optim_wrapper.constructor == 'GLIPOptimWrapperConstructor'
    assert resolved.optim_wrapper.paramwise_cfg == dict(
        bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0
    )
    again = resolve(resolved)  # as the config that a run saves
    assert again.model == resolved.model
    assert again.optim_wrapper == resolved.optim_wrapper


def test_full_leaves_the_config_alone(path):
    plain = resolve(Config.fromfile(path))
    resolved = resolve(prepare_config(path, tuning='full'))
    assert resolved.optim_wrapper == plain.optim_wrapper
    assert resolved.model == plain.model


def test_the_flag_goes_before_the_key_and_options_before_both(path):
    path.write_text(TEXT + "tuning = 'language'\n")
    assert rates(prepare_config(path)) == (1e-5, 0.05)
    assert resolve(prepare_config(path, tuning='full')).model.get('tuning') is None
    options = {'optim_wrapper.optimizer.lr': 0.007}
    cfg = resolve(prepare_config(path, tuning='prompt', cfg_options=options))
    assert cfg.model.tuning == 'prompt'
    assert rates(cfg) == (0.007, 0.25)
    options = {'tuning.lr': 0.01, 'tuning.weight_decay': None}
    cfg = resolve(prepare_config(path, tuning='prompt', cfg_options=options))
    assert rates(cfg) == (0.01, 0.1)
    assert prepare_config(path, cfg_options={'tuning': 'prompt'}).tuning.mode == (
        'prompt'
    )


@pytest.mark.parametrize(
    'tuning',
    [
        'linear_prob',
        3,
        dict(lr=0.1),
        dict(mode='prompt', rate=1),
        dict(mode='prompt', lr=-1),
        dict(mode='prompt', lr='high'),
        dict(mode='full', lr=0.1),
    ],
)
def test_what_has_no_meaning_is_refused(path, tuning):
    cfg = Config.fromfile(path)
    cfg.tuning = tuning
    with pytest.raises(ConfigError, match='tuning'):
        resolve(cfg)
