"""What a config names wrongly is one line; what a training raises is left alone."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from glip.engine.run import build_runner, run_training
from glip.errors import ConfigError
from glip.registry import MODELS

# By name, as a config is written out as text.
ERRORS = {
    'type': TypeError("Linear.__init__() got an unexpected keyword argument 'x'"),
    'key': KeyError('x is not in the model registry'),
}


@MODELS.register_module()
class FailingToy(BaseModel):
    """Raises one of ``ERRORS`` in its forward pass."""

    def __init__(self, error: str | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.linear = nn.Linear(2, 1)
        self.error = error

    def forward(self, x, mode='tensor'):
        if self.error is not None:
            raise ERRORS[self.error]
        return {'loss': self.linear(x).square().mean()}


def config(work_dir: Path, **changes) -> Config:
    cfg = Config(
        dict(
            model=dict(type='FailingToy'),
            train_dataloader=dict(
                dataset=[dict(x=x) for x in torch.ones(2, 2)],
                batch_size=2,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='default_collate'),
            ),
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=0.01)),
            param_scheduler=[dict(type='MultiStepLR', milestones=[1])],
            custom_hooks=[dict(type='EMAHook')],
            default_scope='glip',
            work_dir=str(work_dir),
            experiment_name='toy',
            log_level='ERROR',
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


@pytest.mark.parametrize(
    'place',
    [
        'model.type',
        'train_dataloader.sampler.type',
        'train_cfg.type',
        'optim_wrapper.optimizer.type',
        'param_scheduler.0.type',
        'custom_hooks.0.type',
        'custom_hooks.0.ema_type',
    ],
)
def test_an_unknown_type_is_named(tmp_path, place):
    with pytest.raises(ConfigError, match='Unheard') as error:
        run_training(config(tmp_path, **{place: 'Unheard'}))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'place,owner',
    [
        ('model', 'BaseModel'),
        ('train_dataloader.sampler', 'DefaultSampler'),
        ('train_cfg', 'EpochBasedTrainLoop'),
        ('optim_wrapper.optimizer', 'AdamW'),
        ('param_scheduler.0', 'MultiStep'),
        ('custom_hooks.0', ''),
    ],
)
def test_an_unknown_argument_is_named(tmp_path, place, owner):
    with pytest.raises(ConfigError, match=f"{owner}.* 'unheard'"):
        run_training(config(tmp_path, **{f'{place}.unheard': 1}))


def test_an_inherited_argument_of_another_type_points_to_delete(tmp_path):
    """A _base_ is merged key by key, whatever type it was written for."""
    dataset = dict(type='ConcatDataset', datasets=[], data_root='of the base')
    cfg = config(tmp_path)
    cfg.train_dataloader.dataset = dataset
    with pytest.raises(ConfigError, match="ConcatDataset.*'data_root'.*_delete_=True"):
        run_training(cfg)


@pytest.mark.parametrize('name', ERRORS)
def test_errors_of_a_training_pass(tmp_path, name):
    with pytest.raises(type(ERRORS[name])) as raised:
        run_training(config(tmp_path, **{'model.error': name}))
    assert raised.value is ERRORS[name]


def test_a_runner_that_is_not_known(tmp_path):
    with pytest.raises(ConfigError, match='Unheard'):
        build_runner(config(tmp_path, runner_type='Unheard'))
