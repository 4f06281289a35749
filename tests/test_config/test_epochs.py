"""``epochs`` scales a schedule."""

import pytest
from mmengine.config import Config

from glip.config.epochs import apply_epochs
from glip.errors import ConfigError


def make_config(**fields):
    return Config(
        dict(
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=12),
            param_scheduler=[
                dict(type='LinearLR', by_epoch=False, begin=0, end=500),
                dict(type='CosineAnnealingLR', T_max=12, begin=0, end=12),
                dict(type='MultiStepLR', milestones=[8, 11], by_epoch=True, end=12),
            ],
            **fields,
        )
    )


def test_the_schedule_keeps_its_shape():
    cfg = make_config(epochs=24)
    apply_epochs(cfg)
    warmup, cosine, steps = cfg.param_scheduler
    assert cfg.train_cfg.max_epochs == 24 and 'epochs' not in cfg
    assert warmup.end == 500
    assert (cosine.T_max, cosine.begin, cosine.end) == (24, 0, 24)
    assert steps.milestones == [16, 22] and steps.end == 24


def test_one_epoch_and_none():
    cfg = make_config(epochs=1)
    apply_epochs(cfg)
    assert cfg.param_scheduler[2].milestones == [1]
    cfg = make_config()
    apply_epochs(cfg)
    assert cfg.train_cfg.max_epochs == 12


@pytest.mark.parametrize('epochs', [0, -1, 1.5, '3', True])
def test_no_number_of_epochs(epochs):
    with pytest.raises(ConfigError, match='epochs'):
        apply_epochs(make_config(epochs=epochs))


def test_a_training_that_counts_steps():
    cfg = make_config(epochs=3)
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=100)
    with pytest.raises(ConfigError, match='max_iters'):
        apply_epochs(cfg)
