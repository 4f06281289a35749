"""Where a type in a config is looked for."""

import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import DefaultScope

import glip
from glip.registry import (
    DATASETS,
    HOOKS,
    METRICS,
    MODELS,
    RUNNERS,
    TASK_UTILS,
    TRANSFORMS,
    VISUALIZERS,
    register_all_modules,
)

_ROOT = Path(glip.__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ('registry', 'name', 'package'),
    [
        (MODELS, 'GLIP', 'glip'),  # mmdet has one as well
        (MODELS, 'BertModel', 'glip'),
        (MODELS, 'ATSSHead', 'mmdet'),
        (MODELS, 'DetDataPreprocessor', 'mmdet'),
        (MODELS, 'ReLU', 'torch'),
        (MODELS, 'DCNv2', 'mmcv'),
        (TASK_UTILS, 'ATSSAssigner', 'glip'),
        (TASK_UTILS, 'DeltaXYWHBBoxCoderForGLIP', 'glip'),
        (DATASETS, 'CocoDataset', 'glip'),
        (DATASETS, 'LVISV1Dataset', 'glip'),
        (DATASETS, 'RepeatDataset', 'mmengine'),
        (TRANSFORMS, 'LoadAnnotations', 'glip'),
        (TRANSFORMS, 'FilterAnnotations', 'mmdet'),
        (TRANSFORMS, 'Resize', 'mmdet'),
        (TRANSFORMS, 'RandomChoiceResize', 'mmcv'),
        (TRANSFORMS, 'PackDetInputs', 'glip'),
        (METRICS, 'CocoMetric', 'glip'),
        (METRICS, 'LVISMetric', 'glip'),
        (HOOKS, 'CheckpointHook', 'glip'),
        (RUNNERS, 'GLIPRunner', 'glip'),
        (VISUALIZERS, 'DetLocalVisualizer', 'mmdet'),
    ],
)
def test_unscoped_names(registry, name, package):
    assert registry.get(name).__module__.split('.')[0] == package


@pytest.mark.parametrize(
    ('registry', 'name'),
    [
        (MODELS, 'mmdet.GLIP'),
        (MODELS, 'mmdet.ATSSHead'),
        (DATASETS, 'mmdet.CocoDataset'),
        (TRANSFORMS, 'mmdet.PackDetInputs'),
        (METRICS, 'mmdet.CocoMetric'),
    ],
)
def test_scoped_names(registry, name):
    assert registry.get(name).__module__.startswith('mmdet.')


def test_root_finds_our_scope():
    assert ROOT_MODELS.get('glip.GLIP') is MODELS.get('GLIP')
    assert MODELS.get('glip.GLIP') is MODELS.get('GLIP')


def test_unknown_names_are_none():
    assert MODELS.get('NoSuchModel') is None
    assert TRANSFORMS.get('NoSuchTransform') is None
    with pytest.raises(KeyError, match='NoSuchModel'):
        MODELS.build({'type': 'NoSuchModel'})


def test_own_class_of_the_same_name_wins():
    class ATSSHead:
        pass

    theirs = MODELS.get('ATSSHead')
    MODELS.register_module(module=ATSSHead)
    try:
        assert MODELS.get('ATSSHead') is ATSSHead
        assert MODELS.get('mmdet.ATSSHead') is theirs
    finally:
        del MODELS.module_dict['ATSSHead']


def test_parts_of_mmdets_models_come_from_our_scope():
    """mmdet builds the parts of its models in the default scope."""
    with DefaultScope.overwrite_default_scope('glip'):
        coder = TASK_UTILS.build({'type': 'mmdet.DeltaXYWHBBoxCoder'})
        ours = ROOT_MODELS.build(
            {'type': 'FPN', 'in_channels': [4], 'out_channels': 4, 'num_outs': 1}
        )
    assert type(coder).__module__.startswith('mmdet.')
    assert type(ours).__module__.startswith('mmdet.')


def test_register_all_modules():
    current = DefaultScope.get_current_instance()
    register_all_modules(init_default_scope=False)
    assert DefaultScope.get_current_instance() is current
    assert 'GLIP' in MODELS.module_dict
    assert 'CocoMetric' in METRICS.module_dict


def test_scoped_names_in_a_fresh_process():
    code = (
        f'import sys; sys.path.insert(0, {str(_ROOT)!r})\n'
        'from glip.registry import MODELS, TRANSFORMS\n'
        'assert MODELS.get("mmdet.ATSSHead").__name__ == "ATSSHead"\n'
        'assert TRANSFORMS.get("mmdet.Resize").__module__.startswith("mmdet")\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ''  # mmdet would print what it did not find
