"""Choosing among detections."""

import numpy as np
import pytest

from glip.apis import Detections
from glip.cli.filters import Filters, read_thresholds
from glip.errors import GLIPError


@pytest.fixture
def detections():
    return Detections(
        boxes=[[0, 0, 10, 10], [1, 0, 10, 10], [0, 0, 4, 4], [20, 20, 23, 60]],
        scores=[0.5, 0.8, 0.4, 0.3],
        labels=[0, 1, 0, 1],
        names=['cat', 'dog', 'cat', 'dog'],
        size=(100, 100),
    )


def test_nms_within_and_across_classes(detections):
    assert detections.nms(0.5).scores.tolist() == pytest.approx([0.8, 0.5, 0.4, 0.3])
    kept_boxes = detections.nms(0.5, class_agnostic=True)
    assert kept_boxes.scores.tolist() == pytest.approx([0.8, 0.4, 0.3])


def test_top_and_sizes(detections):
    assert detections.top(2).scores.tolist() == pytest.approx([0.8, 0.5])
    assert len(detections.larger_than(4)) == 3
    assert len(detections[:0].nms(0.5)) == 0


def test_thresholds_per_class(detections):
    kept_boxes = detections.above({'cat': 0.45})
    assert kept_boxes.scores.tolist() == pytest.approx([0.5, 0.8, 0.3])


@pytest.mark.parametrize('value', [None, float('nan'), '0.5', True])
def test_what_is_no_limit_is_refused(detections, value):
    for keep in (
        detections.above,
        detections.nms,
        detections.top,
        detections.larger_than,
        lambda score: detections.above({'cat': score}),
    ):
        with pytest.raises(GLIPError):
            keep(value)


def test_filters_together(detections):
    filters = Filters(0.35, {'dog': 0.9}, class_agnostic=True, max_boxes=1)
    assert filters.lowest(0.3) == 0.35
    assert filters(detections, 0.3).names == ['cat']
    assert Filters()(detections, 0.45).scores.min() == np.float32(0.5)
    with pytest.raises(GLIPError, match='horse'):
        Filters(class_thresholds={'horse': 0.5}).check_names(('cat',))


@pytest.mark.parametrize(
    'wrong',
    [
        dict(threshold=1.5),
        *(dict(threshold=value) for value in (float('nan'), None, True, '0.5', '')),
        dict(iou=-0.1),
        dict(iou=True),
        dict(max_boxes=0),
        dict(max_boxes=1.5),
        dict(min_size=float('nan')),
        dict(class_thresholds={'a': 2}),
        dict(class_thresholds={'a': None}),
    ],
)
def test_limits_out_of_range(wrong):
    with pytest.raises(GLIPError):
        Filters(**wrong)


def test_thresholds_of_a_command_line():
    assert read_thresholds(None) == ('default', {})
    assert read_thresholds('0.4, straw hat=0.6') == (0.4, {'straw hat': 0.6})
    with pytest.raises(GLIPError, match='high'):
        read_thresholds('high')
