"""What ``cache_features`` does to a config."""

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.errors import ConfigError

LOADING = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
RESIZE = dict(type='FixScaleResize', scale=(100, 80), keep_ratio=True)
PACK = dict(type='PackDetInputs')
WORDS = dict(type='RandomSamplingNegPos')
TRAIN = [
    *LOADING,
    dict(type='RandomChoiceResize', scales=[(100, 80), (120, 96)]),
    dict(type='RandomFlip_GLIP', prob=0.5),
    WORDS,
    PACK,
]


def config(**more) -> Config:
    def loader(pipeline):
        return dict(dataset=dict(type='CocoDataset', pipeline=pipeline))

    return Config(
        dict(
            model=dict(type='GLIP'),
            train_dataloader=loader(TRAIN),
            val_dataloader=loader([*LOADING, RESIZE, PACK]),
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-4)),
            work_dir='there',
        )
        | more
    )


def test_pictures_of_the_training_are_those_of_the_evaluation():
    cfg = resolve(config(tuning='linear_probe', cache_features=True))
    assert cfg.cache_features == dict(folder='there/features', max_gb=50.0)
    assert cfg.train_dataloader.dataset.pipeline == [*LOADING, RESIZE, WORDS, PACK]
    again = resolve(cfg)
    assert again.train_dataloader == cfg.train_dataloader
    assert again.cache_features == cfg.cache_features
    prompt = resolve(config(tuning='prompt', cache_features='mine'))
    assert prompt.cache_features.folder == 'mine'
    assert prompt.train_dataloader.dataset.pipeline == [*LOADING, RESIZE, PACK]


def test_without_the_key_nothing_changes():
    for more in ({}, dict(cache_features=False)):
        cfg = resolve(config(**more))
        assert cfg.train_dataloader.dataset.pipeline == TRAIN
        assert 'cache_features' not in cfg


@pytest.mark.parametrize(
    'more',
    [
        dict(cache_features=True),
        dict(cache_features=True, tuning='full'),
        dict(cache_features=3, tuning='prompt'),
        dict(cache_features=dict(folder='a', size=3), tuning='prompt'),
        dict(cache_features=dict(folder='a', max_gb=0), tuning='prompt'),
        dict(
            cache_features=True,
            tuning='prompt',
            model_wrapper_cfg=dict(type='FullyShardedDataParallel'),
        ),
    ],
)
def test_what_has_no_meaning_is_refused(more):
    with pytest.raises(ConfigError, match='cache_features'):
        resolve(config(**more))
