"""What a config says of how detections are chosen."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.logging import print_log

from glip.errors import ConfigError
from glip.models.postprocess import check_aggregation
from glip.runtime.values import check_count, check_score, is_number

_DEFAULTS: dict[str, Any] = dict(
    nms_pre=1000,
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.6),
    max_per_img=100,
    min_bbox_size=-1,
    score_agg='MEAN',
    prompt_batch_size=4,
)
# Read by the detector around the head.
_OF_DETECTOR = frozenset({'chunked_size', 'joint_batch', 'reuse_features'})


def complete_test_cfg(test_cfg: Mapping[str, Any] | None) -> dict[str, Any]:
    """``test_cfg`` with all of its fields, checked.

    Raises:
        ConfigError: A field has no meaning.
    """
    cfg = _DEFAULTS | dict(test_cfg or {})
    for name in sorted(cfg.keys() - _DEFAULTS.keys() - _OF_DETECTOR):
        near = get_close_matches(name, [*_DEFAULTS, *_OF_DETECTOR], n=1)
        hint = f'; did you mean {near[0]}?' if near else ''
        print_log(f'nothing reads test_cfg.{name}{hint}', 'current', logging.WARNING)
    if not is_number(cfg['score_thr']) or cfg['score_thr'] > 1:
        raise ConfigError(
            f'test_cfg.score_thr must be a number up to 1, not {cfg["score_thr"]!r}'
        )
    if not is_number(cfg['min_bbox_size']):
        raise ConfigError(
            f'test_cfg.min_bbox_size must be pixels, not {cfg["min_bbox_size"]!r}'
        )
    nms = cfg['nms']
    if not isinstance(nms, Mapping) or nms.get('type', 'nms') != 'nms':
        kind = nms.get('type') if isinstance(nms, Mapping) else nms
        raise ConfigError(
            f"test_cfg.nms.type {kind!r} is unknown; there is 'nms', per class"
        )
    check_score(nms.get('iou_threshold'), 'test_cfg.nms.iou_threshold')
    for name in ('nms_pre', 'max_per_img'):
        check_count(cfg[name], f'test_cfg.{name} (-1: all)', least=-1)
    check_count(cfg['prompt_batch_size'], 'test_cfg.prompt_batch_size')
    check_aggregation(cfg['score_agg'])
    return cfg
