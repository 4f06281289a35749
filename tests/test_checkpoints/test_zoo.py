"""Names of published weights."""

import re
from pathlib import Path

import pytest

from glip.checkpoints import zoo
from glip.errors import CheckpointError, ConfigError


def test_every_entry_has_a_config_and_a_place():
    for entry in zoo.entries():
        assert zoo.resolve(entry.name) is entry
        assert entry.config.endswith('.py')
        if entry.url:
            assert entry.url.startswith('https://download.openmmlab.com/')
            assert re.fullmatch('[0-9a-f]{8}', entry.sha256_prefix)
            assert f'-{entry.sha256_prefix}.pth' in entry.url
        else:
            assert entry.path.name == 'glip-nano.safetensors'


def test_configs_are_in_the_repository():
    configs = Path(__file__).resolve().parents[2] / 'configs' / 'glip'
    assert all((configs / entry.config).is_file() for entry in zoo.entries())


def test_the_published_five_and_their_finetuned_ones():
    urls = {e.name: e.url.rpartition('/')[2] for e in zoo.entries() if e.url}
    assert urls['glip-tiny-a'] == 'glip_tiny_a_mmdet-b3654169.pth'
    assert urls['glip-l'] == 'glip_l_mmdet-abfe026b.pth'
    assert len(urls) == 10 and sum(name.endswith('-coco') for name in urls) == 5
    assert urls['glip-l-coco'].endswith('funtune_coco_20230910_100800-e9be4274.pth')


def test_aliases_and_unknown_names():
    assert zoo.resolve('glip-t') is zoo.resolve('glip-tiny')
    metafile_name = 'glip_atss_swin-l_fpn_dyhead_pretrain_mixeddata'
    assert zoo.resolve(metafile_name) is zoo.resolve('glip-l')
    with pytest.raises(ConfigError, match='did you mean glip-tiny-b'):
        zoo.resolve('glip_tiny_b')
    with pytest.raises(ConfigError, match='glip-nano, glip-tiny-a'):
        zoo.resolve('detr')


def test_packaged_weights_that_are_absent(tmp_path):
    entry = zoo.ZooEntry('glip-x', 'x.py', path=tmp_path / 'x.safetensors')
    with pytest.raises(CheckpointError, match='not in this installation'):
        zoo.download(entry)
    entry.path.touch()
    assert zoo.download(entry) == entry.path


def test_hash_in_a_file_name():
    assert zoo.hash_in_name('glip_l_mmdet-abfe026b.pth') == 'abfe026b'
    assert zoo.hash_in_name('model.pth') is None
    assert zoo.hash_in_name('epoch-12.pth') is None
