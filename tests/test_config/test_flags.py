"""What the flags of the training tool do to a config."""

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel

from glip.config.flags import set_training_options
from glip.engine.run import build_runner
from glip.errors import ConfigError
from glip.registry import MODELS


@MODELS.register_module()
class ToyLayer(BaseModel):
    def forward(self, x, mode='tensor'):
        return x


def test_resume_without_a_checkpoint_starts_from_the_given_weights(tmp_path):
    cfg = Config(dict(load_from='glip-tiny-a', work_dir=str(tmp_path)))
    set_training_options(cfg, resume='auto')
    assert (cfg.resume, cfg.load_from) == (False, 'glip-tiny-a')


def test_resume_takes_the_last_checkpoint(tmp_path):
    for epoch in (1, 2):
        torch.save({'epoch': epoch}, tmp_path / f'epoch_{epoch}.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_2.pth'))
    cfg = Config(dict(load_from='glip-tiny-a', work_dir=str(tmp_path)))
    set_training_options(cfg, resume='auto')
    assert (cfg.resume, cfg.load_from) == (True, str(tmp_path / 'epoch_2.pth'))


def test_resume_takes_a_named_checkpoint(tmp_path):
    cfg = Config(dict(load_from=None, work_dir=str(tmp_path)))
    set_training_options(cfg, resume='some.pth')
    assert (cfg.resume, cfg.load_from) == (True, 'some.pth')


def test_scaling_the_rate_needs_what_it_was_meant_for():
    with pytest.raises(ConfigError, match='base_batch_size'):
        set_training_options(Config(dict()), auto_scale_lr=True)


def toy_config(work_dir, **default_hooks) -> Config:
    return Config(
        dict(
            model=dict(type='ToyLayer', data_preprocessor=None),
            work_dir=str(work_dir),
            default_hooks=default_hooks,
            default_scope='glip',
            experiment_name='toy',
            log_level='ERROR',
        )
    )


@pytest.mark.parametrize('gpu', [False, True])
def test_without_a_gpu_freed_memory_is_kept(gpu, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr('glip.engine.run.keep_freed_memory', lambda: asked.append(1))
    monkeypatch.setattr('glip.engine.run.torch.cuda.is_available', lambda: gpu)
    with pytest.raises(ConfigError):  # of a runner that is not there, built last
        build_runner(Config(dict(toy_config(tmp_path), runner_type='Unheard')))
    assert asked == ([] if gpu else [1])


def test_any_default_hook_can_be_left_out(tmp_path):
    def names(**default_hooks) -> set[str]:
        cfg = toy_config(tmp_path, **default_hooks)
        return {type(hook).__name__ for hook in build_runner(cfg).hooks}

    curves = dict(type='CurvesHook')
    assert {'CurvesHook', 'LoggerHook'} <= names(curves=curves)
    left = names(curves=None, logger=None, timer=dict(type='IterTimerHook'))
    assert not left & {'CurvesHook', 'LoggerHook'}
    assert 'IterTimerHook' in left
