"""What the flags of the training tool do to a config."""

import pytest
import torch
from mmengine.config import Config

from glip.apis.train import set_training_options
from glip.errors import ConfigError


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
