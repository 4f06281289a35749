"""Train a tiny GLIP in a process of its own, and perhaps die on the way."""

import copy
import json
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.fileio import LocalBackend
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from tiny_model import tiny_model

from glip.config.flags import set_training_options
from glip.engine.run import run_training
from glip.registry import HOOKS, METRICS

TINY = tiny_model(
    {
        'backbone.drop_path_rate': 0.3,
        'neck.relu_before_extra_convs': False,
        'neck.out_channels': 16,
        'neck.start_level': 0,
        'bbox_head.in_channels': 16,
        'bbox_head.feat_channels': 16,
        'language_model.config.intermediate_size': 32,
    }
)
del TINY['test_cfg']


def config(pictures: str, work_dir: str, loop: str, workers: int) -> Config:
    """Twelve steps with everything random that training has."""
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='GTBoxSubOne_GLIP'),
        dict(
            type='RandomChoiceResize',
            scales=[(96, 48), (96, 64), (96, 80)],
            keep_ratio=True,
            resize_type='FixScaleResize',
        ),
        dict(type='RandomFlip_GLIP', prob=0.5),
        dict(type='RandomSamplingNegPos', num_sample_negative=3),
        dict(type='PackDetInputs'),
    ]
    by_epoch = loop == 'epoch'
    return Config(
        dict(
            default_scope='glip',
            model=TINY,
            work_dir=work_dir,
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=3)
            if by_epoch
            else dict(type='IterBasedTrainLoop', max_iters=12),
            train_dataloader=dict(
                batch_size=2,
                num_workers=workers,
                persistent_workers=workers > 0,
                sampler=dict(type='DefaultSampler', shuffle=True),
                batch_sampler=dict(type='AspectRatioBatchSampler'),
                dataset=dict(
                    type='CocoDataset',
                    data_root=pictures,
                    ann_file='annotations.json',
                    data_prefix=dict(img=''),
                    pipeline=pipeline,
                ),
            ),
            optim_wrapper=dict(
                optimizer=dict(type='AdamW', lr=1e-3),
                accumulative_counts=1 if by_epoch else 2,
                clip_grad=dict(max_norm=1.0),
            ),
            param_scheduler=[
                dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=8),
                dict(type='MultiStepLR', by_epoch=by_epoch, milestones=[2, 9]),
            ],
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook', by_epoch=False, interval=2, max_keep_ckpts=1
                )
            ),
            custom_hooks=[dict(type='EMAHook', momentum=0.1)],
            log_level='ERROR',
        )
    )


@HOOKS.register_module()
class Witness(Hook):
    """Writes every loss down, and dies when told to."""

    priority = 'VERY_HIGH'

    def __init__(
        self, file: str, die_at: int | None, die_in_val: int | None = None
    ) -> None:
        self.file, self.die_at = Path(file), die_at
        self.die_in_val, self.validations = die_in_val, 0

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_val_epoch(self, runner):
        self.validations += 1

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.validations == self.die_in_val:
            os.kill(os.getpid(), signal.SIGKILL)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        loss = sum(float(v.detach()) for k, v in outputs.items() if 'loss' in k)
        with self.file.open('a') as file:
            file.write(json.dumps([runner.iter, batch_idx, loss]) + '\n')


@METRICS.register_module()
class ScoreOfEpoch(BaseMetric):
    """The second of three epochs of four steps is the best."""

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        step = MessageHub.get_current_instance().get_info('iter')
        return {'score': {1: 0.2, 2: 0.9, 3: 0.5}[(step + 1) // 4]}


def add_validation(cfg: Config) -> None:
    """After every epoch, keeping one checkpoint and the best."""
    loader = copy.deepcopy(cfg.train_dataloader)
    loader.update(batch_size=4, sampler=dict(type='DefaultSampler', shuffle=False))
    loader.pop('batch_sampler')
    loader.dataset.update(test_mode=True, pipeline=[dict(type='LoadImageFromFile')])
    loader.dataset.pipeline += [
        dict(type='FixScaleResize', scale=(96, 64), keep_ratio=True),
        dict(
            type='PackDetInputs',
            meta_keys=(
                'img_id',
                'img_shape',
                'scale_factor',
                'text',
                'custom_entities',
            ),
        ),
    ]
    by_epoch = 'max_epochs' in cfg.train_cfg
    cfg.val_dataloader, cfg.val_cfg = loader, dict(type='ValLoop')
    cfg.val_evaluator = dict(type='ScoreOfEpoch')
    if not by_epoch:
        cfg.train_cfg.val_interval = 4
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook',
        by_epoch=by_epoch,
        interval=1 if by_epoch else 4,
        max_keep_ckpts=1,
        save_best='score',
        rule='greater',
    )


def die_in_save(number: int) -> None:
    """Be killed when half of the n-th checkpoint is on the disk."""
    put, count = LocalBackend.put, 0

    def half(self, obj, filepath):
        nonlocal count
        count += 1
        if count < number:
            put(self, obj, filepath)
            return
        Path(filepath).write_bytes(obj[: len(obj) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    LocalBackend.put = half


def start(*arguments: Any, error_file: Path, **options: Any) -> int:
    """Train in another process.

    It is forked from one that has imported everything and done nothing, as importing
    takes longer than the training.

    Args:
        arguments: See :func:`config`.
        error_file: What the process said.
        options: See :func:`train`.

    Returns:
        Its exit code, negative the signal that killed it.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['interrupted_run'])
    process = context.Process(
        target=_train_aside, args=(error_file, arguments, options)
    )
    # Python 3.11 starts that one without the paths of this one.
    with mock.patch.dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)):
        process.start()
    process.join()
    return process.exitcode


def _train_aside(error_file: Path, arguments: tuple, options: dict) -> None:
    with error_file.open('w') as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    torch.set_num_threads(1)
    train(*arguments, **options)


def train(
    pictures: str,
    work_dir: str,
    loop: str,
    workers: int,
    *,
    death: str | None = None,
    seed: int | None = None,
    validate: bool = False,
) -> None:
    """Train, from the last checkpoint if there is one.

    Args:
        pictures: Folder of the data.
        work_dir: Where checkpoints and ``losses.jsonl`` go.
        loop: epoch or iter.
        workers: Loading processes.
        death: ``die-at:STEP``, ``die-in-val:N`` or ``die-in-save:N``.
        seed: Of the run; without it, that of the checkpoint.
        validate: Evaluate each epoch, or as many steps, and keep the best.
    """
    cfg = config(pictures, work_dir, loop, workers)
    if validate:
        add_validation(cfg)
    if seed is not None:
        cfg.randomness = dict(seed=seed)
    kind, _, number = (death or 'none:0').partition(':')
    if kind == 'die-in-save':
        die_in_save(int(number))
    set_training_options(cfg, resume='auto')
    cfg.custom_hooks.append(
        dict(
            type='Witness',
            file=f'{work_dir}/losses.jsonl',
            die_at=int(number) if kind == 'die-at' else None,
            die_in_val=int(number) if kind == 'die-in-val' else None,
        )
    )
    run_training(cfg)
