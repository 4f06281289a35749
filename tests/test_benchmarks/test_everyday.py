"""Figures of everyday use, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from predictions import coco_of, truth

from benchmarks.everyday import Answers, Picture, average_precision, hits_of
from glip.apis import Detections


def test_a_true_box_is_hit_once_by_the_best():
    truth = [[0, 0, 10, 10], [20, 20, 40, 40]]
    boxes = np.array(
        [
            [0, 0, 10, 9],  # IoU 0.9 with the first
            [0, 0, 10, 10],  # the same thing again
            [20, 20, 40, 31],  # IoU 0.55 with the second
            [50, 50, 60, 60],
        ],
        dtype=np.float32,
    )
    assert hits_of(boxes, truth).tolist() == [True, False, True, False]
    assert hits_of(boxes, []).tolist() == [False] * 4
    assert hits_of(np.empty((0, 4), np.float32), truth).shape == (0,)


def test_figures_at_a_threshold():
    answers = Answers(
        scores=np.array([0.9, 0.8, 0.5, 0.2]),
        hits=np.array([True, False, True, True]),
        absent=np.array([0.8, 0.1, 0.0]),
        num_boxes=4,
    )
    row = answers.at(0.5)
    assert row['precision'] == pytest.approx(200 / 3)
    assert row['recall'] == pytest.approx(50)
    assert row['f1'] == pytest.approx(400 / 7)  # 2 * 2/3 * 1/2 / (2/3 + 1/2)
    assert (row['absent_with_box'], row['absent_asked']) == (1, 3)
    assert answers.at(0.95)['f1'] == 0


def test_words_are_counted_for_the_class_that_they_stand_for():
    """A detector that finds hounds exactly gives the class dog all its AP."""
    coco = coco_of([truth([[10, 10, 60, 50]], [0]), truth([], [])], 2)
    coco = replace(coco, names=('dog', 'cat'))

    def detector(picture, prompt, threshold):
        assert prompt == {'hound': 'dog'} and threshold == 0
        return Detections(
            boxes=np.array([[10, 10, 60, 50]], dtype=np.float32),
            scores=np.array([0.7], dtype=np.float32),
            labels=np.array([0]),
            names=['dog'],
            size=(100, 100),
            image=None,
            source=None,
        )

    ap, ap50 = average_precision(detector, coco, [Picture(1, None)], {'dog': 'hound'})
    assert (ap, ap50) == (pytest.approx(100), pytest.approx(100))
