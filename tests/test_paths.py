"""Configs and pictures are found in a checkout and in an installation."""

import shutil

from glip import paths


def test_this_checkout():
    assert (paths.config_root() / '_base_' / 'default_runtime.py').is_file()
    assert list((paths.config_root() / 'glip').glob('glip_atss_*.py'))
    assert (paths.demo_root() / 'image_demo.py').is_file()


def test_installation(tmp_path, monkeypatch):
    package = tmp_path / 'site-packages' / 'glip'
    inside = package / '.mim'
    shutil.copytree(paths.config_root() / 'glip', inside / 'configs' / 'glip')
    (package.parent / 'configs' / 'glip').mkdir(parents=True)  # another package's
    monkeypatch.setattr(paths, '_CHECKOUT', package.parent)
    monkeypatch.setattr(paths, '_INSTALLED', inside)
    assert paths.config_root() == inside / 'configs'
    assert paths.demo_root() == inside / 'demo'
