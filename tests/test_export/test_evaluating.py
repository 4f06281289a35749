"""An exported file is evaluated as the weights that it was exported from."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import small_evaluation

import glip
from glip.config.flags import set_test_options
from glip.engine.run import build_runner
from glip.errors import CheckpointError, ConfigError
from glip.export import export_onnx

pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.slow  # the trace takes some ten seconds


@pytest.fixture(scope='module')
def evaluation(tmp_path_factory):
    """A config with weights, and the file exported from both."""
    folder = tmp_path_factory.mktemp('exported')
    small_evaluation.write(folder)
    cfg = small_evaluation.config(folder, folder / 'run')
    detector = glip.load(cfg, folder / 'weights_0.pth')
    path = folder / 'model.onnx'
    export_onnx(detector.model, detector.cfg, path)
    return cfg, path


def test_results_are_those_of_the_weights(evaluation, tmp_path):
    cfg, path = evaluation
    values, detections = small_evaluation.evaluate(cfg, tmp_path / 'weights.pkl')
    cfg = copy.deepcopy(cfg)
    set_test_options(cfg, str(path))
    of_file, of_graph = small_evaluation.evaluate(cfg, tmp_path / 'graph.pkl')
    assert of_file == pytest.approx(values, abs=2e-3)
    for ours, theirs in zip(detections, of_graph, strict=True):
        assert ours['img_id'] == theirs['img_id'] and len(ours['scores']) > 5
        np.testing.assert_allclose(ours['scores'], theirs['scores'], atol=1e-5)


def test_limits_of_the_config_count(evaluation, tmp_path):
    cfg, path = (copy.deepcopy(part) for part in evaluation)
    cfg.model.test_cfg.max_per_img = 2
    set_test_options(cfg, str(path))
    _, detections = small_evaluation.evaluate(cfg, tmp_path / 'graph.pkl')
    assert {len(of_picture['scores']) for of_picture in detections} == {2}


@pytest.mark.parametrize('flag', ['amp', 'tta'])
def test_what_a_graph_cannot_do(evaluation, flag):
    cfg, path = (copy.deepcopy(part) for part in evaluation)
    set_test_options(cfg, str(path), **{flag: True})
    with pytest.raises(ConfigError, match=flag):
        build_runner(cfg)


def test_another_model(evaluation):
    cfg, path = (copy.deepcopy(part) for part in evaluation)
    cfg.model.bbox_head.num_dyhead_blocks = 3
    set_test_options(cfg, str(path))
    with pytest.raises(CheckpointError, match='another model'):
        build_runner(cfg)


def test_graphs_do_not_train(evaluation):
    cfg, path = (copy.deepcopy(part) for part in evaluation)
    set_test_options(cfg, str(path))
    with pytest.raises(ConfigError, match='train'):
        build_runner(cfg).train()
