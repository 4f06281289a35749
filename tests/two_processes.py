"""Train a tiny GLIP on pictures of noise, in one process or in two on the CPU."""

import os
import socket
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.structures import InstanceData
from tiny_model import tiny_model
from torch.utils.data import Dataset

from glip.registry import DATASETS

MODEL = tiny_model(
    {
        'backbone.depths': [1, 2, 1, 1],
        'backbone.num_heads': [1, 2, 2, 2],
        'backbone.drop_path_rate': 0.0,
        'neck.type': 'FPN',
        'bbox_head.fusion': dict(embed_dim=32, num_heads=2, dropout=0.0),
        'language_model.config': dict(
            intermediate_size=32,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
    }
)

# Prompts of very different lengths. With two processes the second has the pictures at
# odd places, of which only one has a box.
PICTURES = [
    (['cat', 'dog'], [[10, 10, 60, 60], [20, 30, 90, 100]], [0, 1]),
    (['tv'], [], []),
    (
        ['a very long name of a thing', 'dog', 'zebra', 'traffic light', 'person'],
        [[5, 5, 40, 40], [50, 8, 120, 90], [60, 60, 100, 100]],
        [2, 0, 4],
    ),
    (['cat', 'person'], [], []),
    (['bear'], [], []),
    (['kite', 'cake'], [[30, 30, 100, 110]], [1]),
    (['bench'], [[10, 40, 90, 80]], [0]),
    (['clock', 'boat', 'toilet'], [], []),
]


def pictures(names: Sequence[str] | None = None) -> list[dict]:
    """Inputs and data samples of all pictures.

    Args:
        names: Words of every picture, as a prompt that is tuned wants them; by default
            each has its own.
    """
    generator = torch.Generator().manual_seed(5)
    samples = []
    for words, boxes, labels in PICTURES:
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(128, 160),
                ori_shape=(128, 160),
                scale_factor=(1.0, 1.0),
                text=tuple(names or words),
                custom_entities=True,
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor(boxes).view(-1, 4).float(),
            labels=torch.tensor(labels).long(),
        )
        pixels = torch.randint(0, 255, (3, 128, 160), generator=generator)
        samples.append(dict(inputs=pixels.byte(), data_samples=sample))
    return samples


@DATASETS.register_module(force=True)
class NoisePictures(Dataset):
    """``pictures()``, for configs."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._pictures = pictures(names)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> dict:
        return self._pictures[index]


def config(work_dir: Path, *, epochs: int = 1, batch_size: int = 4, **more) -> Config:
    """A training by the rules of the original's optimizer."""
    return Config(
        dict(
            default_scope='glip',
            work_dir=str(work_dir),
            model=MODEL,
            train_dataloader=dict(
                batch_size=batch_size,
                num_workers=0,
                dataset=dict(type='NoisePictures'),
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=dict(type='pseudo_collate'),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=epochs),
            optim_wrapper=dict(
                constructor='GLIPOptimWrapperConstructor',
                # So large that steps are smooth in the gradients, unlike with 1e-8.
                optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01, eps=0.1),
                paramwise_cfg=dict(
                    custom_keys=dict(language_model=dict(lr_mult=0.1)),
                    bias_lr_mult=2.0,
                    bias_decay_mult=0.0,
                    norm_decay_mult=0.0,
                ),
                clip_grad=dict(max_norm=1.0),
            ),
            param_scheduler=[dict(type='MultiStepLR', milestones=[1], end=9)],
            default_hooks=dict(
                checkpoint=dict(type='CheckpointHook', interval=1),
                logger=dict(type='LoggerHook', interval=1),
            ),
            env_cfg=dict(dist_cfg=dict(backend='gloo')),
            randomness=dict(seed=0),
            log_level='ERROR',
            launcher='none',
        )
        | more
    )


def train(cfg: Config):
    """Train in this process, which may be one of several."""
    from glip.engine.run import build_runner

    cfg.experiment_name = 'two'
    runner = build_runner(cfg)
    runner.train()
    return runner


def _run(rank: int, port: int, function, arguments: tuple) -> None:
    from glip.engine.run import leave_processes

    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    dist.init_process_group('gloo')
    try:
        function(rank, *arguments)
    finally:
        leave_processes()


def in_two_processes(function, *arguments) -> None:
    """Call ``function(rank, *arguments)`` in two processes that know each other."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    mp.start_processes(
        _run, (port, function, arguments), nprocs=2, start_method='spawn'
    )
