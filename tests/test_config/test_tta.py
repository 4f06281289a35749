"""--tta for any config."""

from itertools import product
from pathlib import Path

import coco_folder
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from glip.config.tta import apply_tta, views_of
from glip.datasets import CocoDataset
from glip.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / 'configs' / 'glip' / 'tta'
PIPELINE = [
    dict(type='LoadImageFromFile'),
    dict(type='FixScaleResize', scale=(800, 1333), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs'),
]


def config(dataset, **more):
    return Config(
        dict(model=dict(type='GLIP'), test_dataloader=dict(dataset=dataset)) | more
    )


def test_views_are_three_sizes_each_mirrored():
    load, views = views_of(PIPELINE)
    assert load == PIPELINE[0]
    resizes, flips, *rest = views['transforms']
    assert [t['scale'] for t in resizes] == [(800, 1333), (640, 1066), (960, 1600)]
    assert [t['prob'] for t in flips] == [0.0, 1.0]
    assert rest == [[PIPELINE[2]], [PIPELINE[3]]]
    assert PIPELINE[1]['scale'] == (800, 1333)


def test_every_part_of_the_data_gets_them():
    part = dict(type='CocoDataset', pipeline=PIPELINE)
    repeated = dict(type='RepeatDataset', times=1, dataset=part)
    cfg = config(dict(type='ConcatDataset', datasets=[part, repeated]))
    apply_tta(cfg)
    first, second = cfg.test_dataloader.dataset.datasets
    for dataset in (first, second.dataset):
        assert dataset.pipeline[-1].type == 'TestTimeAug'
    assert cfg.model.type == 'DetTTAModel'
    assert cfg.model.module.type == 'GLIP'


def test_what_the_config_says_goes_first():
    own = [dict(type='LoadImageFromFile'), dict(type='TestTimeAug', transforms=[])]
    cfg = config(
        dict(pipeline=PIPELINE),
        tta_pipeline=own,
        tta_model=dict(type='DetTTAModel', tta_cfg=dict(max_per_img=5)),
    )
    apply_tta(cfg)
    assert cfg.test_dataloader.dataset.pipeline == own
    assert cfg.model.tta_cfg.max_per_img == 5


def test_a_pipeline_of_unknown_sizes_is_said_plainly():
    with pytest.raises(ConfigError, match='give the config a tta_pipeline'):
        apply_tta(config(dict(pipeline=PIPELINE[:1] + PIPELINE[2:])))
    with pytest.raises(ConfigError, match='test_dataloader'):
        apply_tta(Config(dict(model=dict(type='GLIP'))))


def test_views_keep_prompt_and_annotations(tmp_path):
    coco_folder.write(tmp_path)
    pipeline = [dict(t) for t in PIPELINE]
    pipeline[1]['scale'] = (48, 96)
    options = dict(data_root=str(tmp_path), ann_file='annotations.json')
    options |= dict(data_prefix=dict(img=''), test_mode=True)
    with DefaultScope.overwrite_default_scope('glip'):
        plain = CocoDataset(**options, pipeline=pipeline)[1]
        views = CocoDataset(**options, pipeline=views_of(pipeline))[1]
    sizes = [tuple(picture.shape[1:]) for picture in views['inputs']]
    assert sizes == [(48, 64)] * 2 + [(38, 50)] * 2 + [(58, 77)] * 2
    assert torch.equal(views['inputs'][0], plain['inputs'])
    assert torch.equal(views['inputs'][1], plain['inputs'].flip(2))
    assert [s.flip for s in views['data_samples']] == [False, True] * 3
    for sample in views['data_samples']:
        assert tuple(sample.text) == ('red', 'green', 'blue')
        np.testing.assert_array_equal(
            sample.gt_instances.bboxes.tensor,
            plain['data_samples'].gt_instances.bboxes.tensor,
        )


def test_the_originals_twelve_scales():
    (path,) = CONFIGS.glob('*.py')
    cfg = Config.fromfile(path)
    apply_tta(cfg)
    views = cfg.test_dataloader.dataset.pipeline[-1].transforms
    assert len(list(product(*views))) == 24
    sides = [resize.scale[0] for resize in views[0]]
    ranges = cfg.model.tta_cfg.size_ranges
    assert len(ranges) == len(sides) == 12
    assert dict(zip(sides, map(tuple, ranges)))[1800] == (0, 96)
    assert cfg.model.module.type == 'GLIP'
