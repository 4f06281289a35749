"""From a user's config to what is built."""

import importlib.util
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.errors import ConfigError

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='FixScaleResize', scale=(100, 80), keep_ratio=True),
    dict(type='PackDetInputs'),
]


def config(**more) -> Config:
    loader = dict(dataset=dict(type='CocoDataset', pipeline=PIPELINE))
    model = dict(
        type='GLIP',
        backbone=dict(type='SwinTransformer'),
        language_model=dict(type='BertModel'),
        bbox_head=dict(type='ATSSVLFusionHead'),
    )
    return Config(dict(model=model, test_dataloader=loader) | more)


def test_the_argument_stays_and_the_result_has_everything(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: SimpleNamespace())
    cfg = config(
        custom_data=dict(
            data_root='mine/', classes=('cat',), val=dict(ann_file='a.json', img='b/')
        ),
        val_dataloader=dict(dataset=dict(type='CocoDataset', pipeline=PIPELINE)),
        val_evaluator=dict(type='CocoMetric'),
        test_evaluator=dict(type='CocoMetric'),
        default_hooks=dict(curves=None, logger=None),
        use_checkpoint=True,
        tta=True,
        loggers='tensorboard',
    )
    before = cfg.to_dict()
    resolved = resolve(cfg)
    assert cfg.to_dict() == before
    dataset = resolved.test_dataloader.dataset
    assert dataset.data_root == 'mine/'
    # The augmentation is of the data that custom_data names.
    assert dataset.pipeline[-1].type == 'TestTimeAug'
    assert resolved.model.type == 'DetTTAModel'
    assert resolved.model.module.backbone.with_cp
    backends = [backend.type for backend in resolved.visualizer.vis_backends]
    assert 'TensorboardVisBackend' in backends
    assert set(resolved.default_hooks) == {'logger'}
    assert resolved.runner_type == 'glip.GLIPRunner'


def test_the_work_directory_is_named_after_the_config(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text('a = 1')
    assert resolve(Config.fromfile(path)).work_dir == 'work_dirs/mine'
    assert resolve(config(work_dir='there')).work_dir == 'there'


@pytest.mark.parametrize('gpu', [False, True])
def test_processes_without_a_gpu_talk_by_gloo(gpu, monkeypatch):
    monkeypatch.setattr('torch.cuda.is_available', lambda: gpu)
    resolved = resolve(config(env_cfg=dict(dist_cfg=dict(backend='nccl'))))
    assert resolved.env_cfg.dist_cfg.backend == ('nccl' if gpu else 'gloo')
    assert ('model_wrapper_cfg' in resolved) != gpu
    wrapper = dict(type='FullyShardedDataParallel')
    assert resolve(config(model_wrapper_cfg=wrapper)).model_wrapper_cfg == wrapper


def test_mistakes_are_reported_before_anything_is_built():
    with pytest.raises(ConfigError, match='model_wrapper_cfg'):
        resolve(config(runner_type='GLIPFlexibleRunner'))
    with pytest.raises(ConfigError, match='compile'):
        resolve(config(compile='fast'))
