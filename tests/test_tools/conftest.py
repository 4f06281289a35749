"""A model so small that training it is a matter of seconds."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import coco_folder
import pytest
from mmengine.registry import DefaultScope
from tiny_model import tiny_model

ROOT = Path(__file__).parents[2]

MODEL = tiny_model(
    {
        'data_preprocessor.mean': [103.53, 116.28, 123.675],
        'data_preprocessor.std': [57.375, 57.12, 58.395],
        'backbone.mlp_ratio': 2,
        'backbone.drop_path_rate': 0.0,
        'neck.drop_prob': 0.0,
        'bbox_head.lang_model_name': 'bert-base-uncased',
        'language_model.name': 'bert-base-uncased',
        'test_cfg': dict(
            nms_pre=100, nms=dict(type='nms', iou_threshold=0.6), max_per_img=5
        ),
    }
)
CONFIG = """
_base_ = [
    '{root}/configs/_base_/datasets/coco_detection.py',
    '{root}/configs/_base_/schedules/schedule_2x.py',
    '{root}/configs/_base_/default_runtime.py',
]
model = {model}
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='GTBoxSubOne_GLIP'),
    dict(type='RandomSamplingNegPos'),
    dict(type='RandomFlip_GLIP', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='FixScaleResize', scale=(64, 64), keep_ratio=True, backend='pillow'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
custom_data = dict(
    data_root='{data}',
    train=dict(ann_file='train/annotations.json'),
    val=dict(ann_file='valid/annotations.json'),
    batch_size=2,
    num_workers=0,
)
train_cfg = dict(max_epochs=1)
param_scheduler = [dict(type='ConstantLR', factor=1.0)]
default_hooks = dict(logger=dict(interval=1))
randomness = dict(seed=0)
"""


def load_tool(name: str) -> ModuleType:
    """A script of ``tools/`` as module."""
    spec = importlib.util.spec_from_file_location(
        f'glip_tools_{name}', ROOT / 'tools' / f'{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def tiny(tmp_path_factory):
    """Folder with ``tiny.py`` and the data it names."""
    folder = tmp_path_factory.mktemp('tiny')
    coco_folder.write(folder / 'train', num_images=4, size=(64, 64))
    coco_folder.write(folder / 'valid', num_images=2, size=(64, 64))
    text = CONFIG.replace('{root}', str(ROOT)).replace('{data}', str(folder))
    text = text.replace('{model}', repr(MODEL))
    (folder / 'tiny.py').write_text(text)
    return folder


def main_of(name: str) -> Callable[[list[str]], int]:
    """``main`` of a tool as if in a process of its own."""
    main = load_tool(name).main

    def run(arguments: list[str]) -> int:
        before = dict(DefaultScope._instance_dict)
        try:
            return main(arguments)
        finally:
            DefaultScope._instance_dict.clear()
            DefaultScope._instance_dict.update(before)

    return run


@pytest.fixture(scope='module')
def train_tool():
    return main_of('train')


@pytest.fixture(scope='module')
def test_tool():
    return main_of('test')


@pytest.fixture(scope='module')
def browse_tool():
    return main_of('analysis_tools/browse_dataset')


@pytest.fixture(scope='module')
def join_tool():
    return main_of('analysis_tools/join_sets')


@pytest.fixture(scope='module')
def metric_tool():
    return main_of('analysis_tools/eval_metric')


@pytest.fixture(scope='module')
def self_train_tool():
    return main_of('self_train')


@pytest.fixture(scope='module')
def few_shot_tool():
    return main_of('few_shot')


@pytest.fixture(scope='module')
def label_tool():
    return main_of('pseudo_label')
