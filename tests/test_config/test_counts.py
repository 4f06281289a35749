"""Numbers that would train or show nothing."""

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.errors import ConfigError


def config(**changes):
    loader = dict(batch_size=1, dataset=dict(type='CocoDataset'))
    cfg = Config(
        dict(
            train_dataloader=loader,
            val_dataloader=dict(loader),
            train_cfg=dict(max_epochs=1),
        )
    )
    cfg.merge_from_dict(changes)
    return cfg


def test_usual_ones_pass():
    assert resolve(config()).train_cfg.max_epochs == 1
    assert resolve(config(train_cfg=dict(_delete_=True, max_iters=5))).train_cfg


@pytest.mark.parametrize('value', [0, -1, 1.5, float('nan'), '2', None, True])
@pytest.mark.parametrize(
    'key', ['train_dataloader.batch_size', 'val_dataloader.batch_size', 'train_cfg']
)
def test_others_are_refused(key, value):
    cfg = config()
    if key == 'train_cfg':
        cfg.train_cfg.max_epochs = value
    else:
        cfg.merge_from_dict({key: value})
    with pytest.raises(ConfigError):
        resolve(cfg)


def test_batch_size_of_custom_data():
    with pytest.raises(ConfigError):
        resolve(config(custom_data=dict(train='a.json', batch_size=0)))


@pytest.mark.parametrize('value', [0, -1, None, 1.5])
def test_an_interval_of_validation(value):
    with pytest.raises(ConfigError, match='val_interval'):
        resolve(config(**{'train_cfg.val_interval': value}))
