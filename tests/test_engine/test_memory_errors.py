"""What is said when memory is full."""

import pytest
import torch
from mmengine.config import Config

from glip.config.checkpointing import apply_use_checkpoint
from glip.engine.memory_errors import memory_errors_explained
from glip.errors import TrainingError

PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomChoice',
        transforms=[
            [dict(type='RandomChoiceResize', scales=[(1333, 480), (1333, 800)])]
        ],
    ),
]


def config(**more) -> Config:
    return Config(
        dict(
            model=dict(
                type='GLIP',
                backbone=dict(type='SwinTransformer', with_cp=False),
                language_model=dict(type='BertModel'),
                bbox_head=dict(type='ATSSVLFusionHead'),
                test_cfg=dict(),
            ),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(type='RepeatDataset', dataset=dict(pipeline=PIPELINE)),
            ),
            test_dataloader=dict(
                batch_size=1,
                dataset=dict(pipeline=[dict(type='Resize', scale=(800, 1333))]),
            ),
            optim_wrapper=dict(type='OptimWrapper'),
            **more,
        )
    )


def explain(error: Exception, cfg: Config, *, training: bool = True) -> str:
    with pytest.raises(TrainingError) as said:
        with memory_errors_explained(cfg, training=training):
            raise error
    assert said.value.__cause__ is error
    assert '\n' not in str(said.value)
    return str(said.value)


def test_a_full_gpu_is_told_with_what_to_lower():
    said = explain(
        torch.OutOfMemoryError(
            'CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total of ...'
        ),
        config(),
    )
    assert said.startswith('the memory of the GPU is full (asked for 2.50 GiB more): ')
    assert 'train_dataloader.batch_size (now 2;' in said
    assert 'use_checkpoint=True (now False)' in said
    assert '--amp (now off)' in said
    assert 'now up to 1333 x 800' in said


def test_what_is_on_already_is_told():
    cfg = config(use_checkpoint=True)
    cfg.optim_wrapper = dict(type='AmpOptimWrapper', accumulative_counts=4)
    apply_use_checkpoint(cfg)
    said = explain(torch.OutOfMemoryError('CUDA out of memory.'), cfg)
    assert 'use_checkpoint=True (now True)' in said
    assert '--amp (now on)' in said and 'now 4)' in said


def test_a_full_computer_and_killed_workers():
    said = explain(
        RuntimeError(
            '[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: '
            "can't allocate memory: you tried to allocate 4000000 bytes. Error code 12"
        ),
        config(),
    )
    assert said.startswith("the computer's memory is full (asked for 4000000 bytes")
    assert explain(MemoryError(), config()).startswith("the computer's memory is full")
    killed = RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. ')
    assert 'lower num_workers' in explain(killed, config())


def test_real_allocations_are_recognised():
    with pytest.raises(TrainingError, match="the computer's memory is full"):
        with memory_errors_explained(config(), training=True):
            torch.empty(2**55, dtype=torch.uint8)


def test_evaluation_has_settings_of_its_own():
    said = explain(
        torch.OutOfMemoryError('CUDA out of memory.'), config(), training=False
    )
    assert 'test_dataloader.batch_size (now 1)' in said
    assert 'prompt_batch_size (now 4)' in said and '800 x 1333' in said


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match='shapes differ') as error:
        with memory_errors_explained(config(), training=True):
            raise RuntimeError('shapes differ')
    assert not isinstance(error.value, TrainingError)
