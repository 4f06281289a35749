"""What pictures of a run show where the config names no score."""

from types import SimpleNamespace

import pytest
from mmengine.config import Config

from glip.engine.hooks import DetVisualizationHook


@pytest.mark.parametrize(
    ('options', 'cfg', 'expected'),
    [
        ({}, dict(default_threshold=0.4), 0.4),
        ({}, {}, 0.3),
        (dict(score_thr=0.2), dict(default_threshold=0.4), 0.2),
        (dict(score_thr=0.0), dict(default_threshold=0.4), 0.0),
    ],
)
def test_threshold_is_the_hooks_or_else_the_models(options, cfg, expected, monkeypatch):
    monkeypatch.setattr(
        'mmdet.engine.hooks.visualization_hook.Visualizer.get_current_instance',
        lambda: None,
    )
    hook = DetVisualizationHook(**options)
    hook.before_run(SimpleNamespace(cfg=Config(cfg)))
    assert hook.score_thr == expected
