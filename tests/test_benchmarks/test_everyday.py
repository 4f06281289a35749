"""Figures of everyday use, worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
from predictions import coco_of, truth

from benchmarks import everyday
from benchmarks.everyday import (
    Answers,
    Picture,
    ask_present_and_absent,
    average_precision,
    count_top_boxes,
)
from glip.apis import Detections


class Detector:
    """Finds the same box of a dog in every picture, and one of a cat beside it."""

    def __call__(self, picture, prompt, threshold):
        assert threshold == 0
        self.prompt = prompt
        return Detections(
            boxes=np.array([[10, 10, 60, 50], [10, 10, 60, 30]], dtype=np.float32),
            scores=np.array([0.7, 0.6], dtype=np.float32),
            labels=np.array([0, 1]),
            names=['dog', 'cat'],
            size=(100, 100),
            image=None,
            source=None,
        )


def test_the_best_box_is_right_where_its_class_has_one():
    coco = coco_of([truth([[10, 10, 60, 50]], [0]), truth([[10, 10, 60, 30]], [1])], 2)
    coco = replace(coco, names=('dog', 'cat'))
    pictures = [Picture(1, None, ('dog',)), Picture(2, None, ('cat', 'cat'))]
    detector = Detector()
    assert count_top_boxes(detector, coco, pictures, 30) == (1, 2)
    assert detector.prompt == ['cat']
    assert count_top_boxes(detector, coco, pictures, 1) == (1, 1)
    assert count_top_boxes(detector, coco, [Picture(1, None)], 30) == (0, 0)


def test_answers_of_present_and_absent_classes(monkeypatch):
    monkeypatch.setattr(everyday, '_ABSENT', 1)
    coco = coco_of([truth([[10, 10, 60, 50]], [0]), truth([[0, 0, 9, 9]], [1])], 2)
    coco = replace(coco, names=('dog', 'cat'))
    pictures = [Picture(1, None, ('dog',)), Picture(2, None, ('cat',))]
    answers = ask_present_and_absent(Detector(), coco, pictures)
    right = sorted(zip(answers.scores.round(1).tolist(), answers.hits.tolist()))
    assert right == [(0.6, False), (0.6, False), (0.7, False), (0.7, True)]
    assert answers.absent.round(1).tolist() == [0.6, 0.7]  # the cat, then the dog
    assert answers.num_boxes == 2


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

    detector = Detector()
    ap, ap50 = average_precision(detector, coco, [Picture(1, None)], {'dog': 'hound'})
    assert detector.prompt == {'hound': 'dog'}
    assert (ap, ap50) == (pytest.approx(100), pytest.approx(100))
