"""Every recipe: its schedule, and its training pipeline on its data in miniature."""

from pathlib import Path

import miniature
import pytest
import torch
from mmengine.config import Config

from glip.datasets import MixedStream, ODVGStream
from glip.engine.run import build_runner, run_training
from glip.registry import DATASETS
from glip.runtime.leaves import iter_leaves

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip'
PRETRAIN = {
    'glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365': 1,
    'glip_atss_swin-t_b_fpn_dyhead_pretrain_obj365': 1,
    'glip_atss_swin-t_c_fpn_dyhead_pretrain_obj365-goldg': 3,
    'glip_atss_swin-t_fpn_dyhead_pretrain_obj365-goldg-cc3m-sub': 5,
    'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata': 8,
}
RECIPES = {
    **PRETRAIN,
    'glip_atss_swin-t_a_fpn_dyhead_16xb2_ms-2x_funtune_coco': 1,
    'glip_atss_swin-t_b_fpn_dyhead_16xb2_ms-2x_funtune_coco': 1,
    'glip_atss_swin-t_c_fpn_dyhead_16xb2_ms-2x_funtune_coco': 1,
    'glip_atss_swin-t_fpn_dyhead_16xb2_ms-2x_funtune_coco': 1,
    'glip_atss_swin-l_fpn_dyhead_16xb2_ms-2x_funtune_coco': 1,
    'glip_nano_csp_minilm': 1,
    'glip_nano_swin_minilm': 1,
    'glip_nano_csp_minilm_coco_mini': 2,
    'glip_nano_csp_minilm_few_shot': 1,
    'glip_nano_csp_minilm_mixed': 7,
    'glip_nano_mbv2_minilm': 1,
}


def read(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def test_no_recipe_is_forgotten():
    found = {path.stem for path in CONFIGS.glob('*.py')}
    assert found == set(RECIPES)


@pytest.fixture
def source(tmp_path):
    return miniature.synthetic(tmp_path / 'pictures')


def first_of_each(dataset):
    if isinstance(dataset, MixedStream):
        for part in dataset.datasets:
            yield from first_of_each(part)
    elif isinstance(dataset, ODVGStream):
        yield next(dataset.packed(0, 0, 1))
    else:
        for start in [0, *getattr(dataset, 'cumulative_sizes', [])[:-1]]:
            yield dataset[start]


@pytest.mark.parametrize('name', RECIPES)
def test_training_samples_carry_words_and_boxes(name, source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = read(name)
    assert miniature.make(cfg.train_dataloader, tmp_path, source) == RECIPES[name]
    with DATASETS.switch_scope_and_registry('glip') as registry:
        dataset = registry.build(cfg.train_dataloader.dataset)
    samples = list(first_of_each(dataset))
    assert len(samples) == RECIPES[name]
    for packed in samples:
        sample = packed['data_samples']
        assert packed['inputs'].dtype == torch.uint8
        assert packed['inputs'].shape[1:] == sample.img_shape
        boxes = sample.gt_instances.bboxes.tensor
        assert len(boxes) > 0 and (boxes[:, 2:] >= boxes[:, :2]).all()
        labels = sample.gt_instances.labels
        spans = sample.get('tokens_positive')
        if isinstance(sample.text, str):
            assert int(labels.max()) < len(spans)
            words = [sample.text[slice(*spans[i][0])] for i in labels.tolist()]
            assert all(word.strip() for word in words)
        else:  # all classes of the set, as in fine-tuning
            assert int(labels.max()) < len(sample.text)


@pytest.mark.parametrize('name', PRETRAIN)
def test_schedule_is_the_originals(name):
    cfg = read(name)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('AdamW', 1e-4)
    assert cfg.optim_wrapper.clip_grad.max_norm == 1
    assert cfg.auto_scale_lr.base_batch_size == 64
    warmup, steps = cfg.param_scheduler[:2]
    assert (warmup.end, warmup.start_factor) == (2000, 0.001)
    if 'swin-l' in name:
        assert cfg.train_cfg.max_iters == 1_000_000
        assert optimizer.weight_decay == 1e-2
        assert cfg.model.backbone.frozen_stages == 1
        boxes, *captions = cfg.train_dataloader.dataset.datasets
        assert boxes.repeats == [2, 1, 3, 2, 8, 4]
        assert [part.type for part in captions] == ['ODVGStream'] * 2
        assert steps.milestones == [670_000, 890_000]
        assert not cfg.custom_hooks
    else:
        assert cfg.train_cfg.max_epochs == 30
        assert optimizer.weight_decay == 1e-4
        assert steps.milestones == [20, 27]
        assert cfg.custom_hooks[0].type == 'EMAHook'
        assert cfg.custom_hooks[0].momentum == pytest.approx(0.001)


def shrunk(cfg, tmp_path):
    """The recipe with a model and pictures small enough for a test."""
    cfg.model.backbone.update(
        embed_dims=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 4, 8], window_size=7
    )
    cfg.model.neck.update(in_channels=[32, 64, 128], out_channels=32)
    cfg.model.bbox_head.update(
        in_channels=32,
        feat_channels=32,
        num_dyhead_blocks=1,
        fusion=dict(embed_dim=32, num_heads=2),
    )
    cfg.model.language_model.update(
        pretrained=False,
        config=dict(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
        ),
    )
    for dataset in iter_leaves(cfg.train_dataloader.dataset):
        for transform in dataset.pipeline:
            if transform.type == 'RandomChoiceResize':
                transform.scales = [(160, 96), (160, 128)]
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.test_dataloader = cfg.test_evaluator = cfg.test_cfg = None
    cfg.default_hooks.checkpoint.pop('save_best', None)
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(tmp_path / 'work')
    cfg.load_from = None
    return cfg


@pytest.mark.slow
@pytest.mark.parametrize('name', [*PRETRAIN, *list(RECIPES)[5:10:4]])
def test_trains(name, tmp_path, monkeypatch):
    """Two steps of the whole recipe: loader, optimizer, schedules, hooks."""
    monkeypatch.chdir(tmp_path)
    cfg = shrunk(read(name), tmp_path)
    miniature.make(
        cfg.train_dataloader, tmp_path, miniature.synthetic(tmp_path / 'pictures')
    )
    if 'max_iters' in cfg.train_cfg:
        cfg.train_cfg.max_iters = 2
        cfg.default_hooks.checkpoint.interval = 2
    else:
        cfg.train_cfg.max_epochs = 1
    runner = run_training(cfg)
    assert runner.iter >= 2
    loss = runner.message_hub.get_scalar('train/loss')
    assert torch.isfinite(torch.tensor(loss.data[0])).all()
    assert list((tmp_path / 'work').glob('*.pth'))


@pytest.mark.slow
def test_the_large_recipe_counts_in_steps(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = shrunk(read('glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata'), tmp_path)
    miniature.make(
        cfg.train_dataloader, tmp_path, miniature.synthetic(tmp_path / 'pictures')
    )
    runner = build_runner(cfg)
    assert not runner.log_processor.by_epoch
    assert not cfg.default_hooks.checkpoint.by_epoch
