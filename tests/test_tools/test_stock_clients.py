"""Clients of mmdet and mmengine that know nothing of glip take its configs."""

import importlib.resources
import os
import subprocess
import sys
from pathlib import Path

import mmdet.registry
import pytest
from mmdet.apis import DetInferencer
from mmengine.config import Config
from mmengine.registry import METRICS, MODELS, RUNNERS, DefaultScope
from mmengine.runner import Runner

import glip
from glip import registry
from glip.apis.loading import build_model
from glip.checkpoints import save_state_dict
from glip.config import resolve
from glip.drop_in.__main__ import main as drop_in
from glip.engine import GLIPRunner

_MMDET_TOOLS = importlib.resources.files('mmdet') / '.mim' / 'tools'
# Every class check that mmdet has is passed, though words are no fixed classes.
_EXTRA = """
custom_hooks = [dict(type='NumClassCheckHook')]
param_scheduler = []
"""


@pytest.fixture(autouse=True)
def no_scope():
    """Clients set the scope themselves, for the rest of their process."""
    before = dict(DefaultScope._instance_dict)
    DefaultScope._instance_dict.clear()
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


@pytest.fixture
def config(tiny, tmp_path):
    """A config as a user keeps it, and read as a client reads it."""
    path = tmp_path / 'mine.py'
    path.write_text((tiny / 'tiny.py').read_text() + _EXTRA)
    cfg = Config.fromfile(path)
    cfg.work_dir = str(tmp_path / 'run')
    return cfg


def test_the_registry_of_runners_builds_ours_with_custom_data(config):
    runner = RUNNERS.build(config)
    assert type(runner) is GLIPRunner
    runner.train()
    assert Path(config.work_dir, 'epoch_1.pth').is_file()


def test_mmengines_runner_starts_from_safetensors(config, tmp_path):
    """It initialises the model first, which fetches nothing that is overwritten."""
    config = resolve(config)
    weights = tmp_path / 'weights.safetensors'
    save_state_dict(build_model(config).state_dict(), weights)
    config.model.language_model.pretrained = str(tmp_path / 'absent')
    config.load_from = str(weights)
    config.val_dataloader = config.val_evaluator = config.val_cfg = None
    runner = Runner.from_cfg(config)
    assert type(runner) is Runner
    runner.train()
    assert Path(config.work_dir, 'epoch_1.pth').is_file()


def test_the_inferencer_of_mmdet_detects_what_glip_does(config, tiny, tmp_path):
    """It sets mmdet's scope, where names both have would mean mmdet's."""
    weights = tmp_path / 'weights.safetensors'
    save_state_dict(build_model(config).state_dict(), weights)
    inferencer = DetInferencer(
        config, str(weights), device='cpu', palette='random', show_progress=False
    )
    parts = (inferencer.model, inferencer.model.backbone, inferencer.model.bbox_head)
    assert {type(part).__module__.split('.')[0] for part in parts} == {'glip'}
    modules = {type(part).__module__ for part in inferencer.model.modules()}
    assert 'glip.models.cpu.swin' in modules  # by the kernels that `glip.load` takes
    picture = str(tiny / 'valid' / '0.png')
    (theirs,) = inferencer(
        picture, texts='red . green', custom_entities=True, no_save_vis=True
    )['predictions']
    ours = glip.load(config, weights, device='cpu')(picture, 'red . green', threshold=0)
    assert theirs['scores'] == pytest.approx(ours.scores.tolist(), abs=1e-5)
    assert len(theirs['scores']) > 0
    inferencer.model.test_cfg.chunked_size = 1  # as mmdet's demo does
    names = [('red', 'green')]  # and so it gives the classes of a data set
    (chunked,) = inferencer(picture, texts=names, no_save_vis=True)['predictions']
    expected = glip.load(config, weights, device='cpu')(
        picture, list(names[0]), threshold=0, chunked_size=1
    )
    assert chunked['scores'] == pytest.approx(expected.scores.tolist(), abs=1e-5)


def test_names_under_the_scope_of_mmdet():
    with DefaultScope.overwrite_default_scope('mmdet'):
        theirs = mmdet.registry
        assert theirs.MODELS.get('GLIP') is registry.MODELS.get('GLIP')
        assert theirs.MODELS.get('ClassSpaceNeck') is registry.MODELS.get(
            'ClassSpaceNeck'
        )
        assert theirs.HOOKS.get('CurvesHook') is registry.HOOKS.get('CurvesHook')
        for kind, name in (
            ('MODELS', 'mmdet.GLIP'),
            ('MODELS', 'SwinTransformer'),
            ('DATASETS', 'CocoDataset'),
            ('METRICS', 'CocoMetric'),
        ):
            found = getattr(theirs, kind).get(name)
            assert found.__module__.startswith('mmdet.')
        assert theirs.MODELS.get('NoSuchModel') is None
    assert mmdet.registry.MODELS.get('GLIP').__module__.startswith('mmdet.')


def test_what_is_inherited_of_mmdet_is_built_of_our_classes(tmp_path):
    """mmengine marks it to be built of mmdet's."""
    path = tmp_path / 'mine.py'
    path.write_text(
        "_base_ = 'mmdet::glip/glip_atss_swin-t_a_fpn_dyhead_pretrain_obj365.py'\n"
        "default_scope = 'glip'\n"
    )
    cfg = Config.fromfile(path)
    assert cfg.model._scope_ == 'mmdet'
    resolved = resolve(cfg)
    with DefaultScope.overwrite_default_scope('glip'):
        backbone = MODELS.build(resolved.model.backbone)
        metric = METRICS.build(dict(resolved.val_evaluator, ann_file=str(path)))
    assert '_scope_' not in resolved.model
    assert type(backbone) is registry.MODELS.get('SwinTransformer')
    assert type(metric) is registry.METRICS.get('CocoMetric')
    # Our registry does so by itself, as `glip.load` needs.
    assert type(registry.MODELS.build(dict(cfg.model.backbone, _scope_='mmdet'))) is (
        type(backbone)
    )


@pytest.mark.slow
def test_scripts_of_mmdet_train_and_test(config, tmp_path):
    """The second imports compiled ops before it reads the config that needs none."""
    path = config.filename
    trained = _run(_MMDET_TOOLS / 'train.py', path, '--work-dir', str(tmp_path / 'a'))
    assert trained.returncode == 0, trained.stderr
    tested = _run(
        *(_MMDET_TOOLS / 'test.py', path, tmp_path / 'a' / 'epoch_1.pth'),
        *('--work-dir', str(tmp_path / 'b'), '--out', str(tmp_path / 'found.pkl')),
    )
    assert tested.returncode == 0, tested.stderr
    assert (tmp_path / 'found.pkl').is_file()


def test_a_script_that_is_not_there_is_one_line(capsys):
    assert drop_in(['no/such/script.py']) == 1
    assert capsys.readouterr().err.count('\n') == 1


def test_a_script_runs_with_its_own_arguments_and_folder(tmp_path, capsys, monkeypatch):
    (tmp_path / 'beside.py').write_text('WORD = "beside"')
    script = tmp_path / 'script.py'
    script.write_text('import sys, beside; print(__name__, beside.WORD, *sys.argv[1:])')
    monkeypatch.setattr(sys, 'argv', ['before'])
    monkeypatch.setattr(sys, 'path', ['before', *sys.path])
    assert drop_in([str(script), 'a', '--work-dir', 'b']) == 0
    assert capsys.readouterr().out == '__main__ beside a --work-dir b\n'


def _run(*command):
    root = str(Path(glip.__file__).resolve().parent.parent)
    return subprocess.run(
        [sys.executable, '-m', 'glip.drop_in', *map(str, command)],
        env=os.environ | {'PYTHONPATH': root},
        capture_output=True,
        text=True,
        timeout=600,
    )
