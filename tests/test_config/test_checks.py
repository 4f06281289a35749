"""Mistakes in a config that are reported before anything is built."""

import pytest
from mmengine.config import Config

from glip.config import resolve
from glip.config.checks import check_kinds, check_launcher
from glip.errors import ConfigError


@pytest.mark.parametrize('key', ['model', 'train_dataloader', 'default_hooks'])
@pytest.mark.parametrize('value', [5, 'x', [], [{}]])
def test_parts_are_mappings(key, value):
    with pytest.raises(ConfigError, match=f'^{key} is '):
        resolve(Config({key: value}))


def test_what_is_right_passes():
    check_kinds(Config(dict(model=dict(), train_cfg=dict(max_epochs=1), test_cfg=None)))
    check_launcher(Config(dict(launcher='none')))


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm', 'mpi', 'x', 5])
def test_a_launcher_that_started_nothing(launcher, monkeypatch):
    for name in ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_LOCAL_RANK'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match='launcher'):
        check_launcher(Config(dict(launcher=launcher)))


def test_a_launcher_that_did(monkeypatch):
    for name in ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT'):
        monkeypatch.setenv(name, '1')
    check_launcher(Config(dict(launcher='pytorch')))
