"""One switch for the activation checkpointing of all parts of a model."""

import pytest
from mmengine.config import Config

from glip.config.checkpointing import apply_use_checkpoint
from glip.errors import ConfigError


def config(**more) -> Config:
    return Config(
        dict(
            model=dict(
                type='GLIP',
                backbone=dict(type='SwinTransformer', with_cp=False),
                language_model=dict(type='BertModel'),
                bbox_head=dict(type='ATSSVLFusionHead'),
            ),
            **more,
        )
    )


def test_one_switch_for_all_parts():
    cfg = config(use_checkpoint=True)
    apply_use_checkpoint(cfg)
    assert cfg.model.backbone.with_cp
    assert cfg.model.language_model.use_checkpoint
    assert cfg.model.bbox_head.use_checkpoint
    cfg.use_checkpoint = False
    apply_use_checkpoint(cfg)
    assert not cfg.model.backbone.with_cp
    assert not cfg.model.bbox_head.use_checkpoint


def test_without_the_switch_the_model_decides():
    cfg = config()
    cfg.model.backbone.with_cp = True
    apply_use_checkpoint(cfg)
    assert cfg.model.backbone.with_cp
    assert 'use_checkpoint' not in cfg.model.bbox_head


def test_parts_that_cannot_are_left_alone():
    cfg = config(use_checkpoint=True)
    cfg.model.backbone = dict(type='CSPNet')
    apply_use_checkpoint(cfg)
    assert 'with_cp' not in cfg.model.backbone
    assert cfg.model.bbox_head.use_checkpoint
    with pytest.raises(ConfigError, match='no part of this model'):
        apply_use_checkpoint(
            Config(dict(use_checkpoint=True, model=dict(type='Detector')))
        )
