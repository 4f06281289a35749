"""Fields of ``test_cfg`` that would have no effect, or a wrong one, are refused."""

import pytest

from glip.errors import ConfigError
from glip.models.dense_heads.test_cfg import complete_test_cfg


def test_usual_ones_are_completed():
    cfg = complete_test_cfg({'score_thr': 0.0, 'min_bbox_size': 0, 'chunked_size': 40})
    assert cfg['max_per_img'] == 100 and cfg['chunked_size'] == 40
    assert complete_test_cfg({'nms': {'iou_threshold': 0.5}})['nms_pre'] == 1000


@pytest.mark.parametrize(
    'fields',
    [
        {'score_thr': float('nan')},
        {'score_thr': '0.3'},
        {'score_thr': None},
        {'score_thr': 2},
        {'nms': {'type': 'soft_nms', 'iou_threshold': 0.5}},
        {'nms': {'type': 'nms'}},
        {'nms': {'iou_threshold': float('nan')}},
        {'nms': None},
        {'min_bbox_size': float('inf')},
        {'max_per_img': 1.5},
        {'max_per_img': '100'},
        {'nms_pre': None},
        {'prompt_batch_size': 0},
        {'score_agg': 'SUM'},
    ],
)
def test_others_are_refused(fields):
    with pytest.raises(ConfigError):
        complete_test_cfg(fields)
