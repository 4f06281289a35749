"""Confusion, judged by hand."""

import numpy as np
from predictions import entry, truth

from glip.report.confusion import ConfusionMatrix, judge

A, B, C = [0, 0, 10, 10], [50, 50, 60, 60], [100, 0, 110, 10]


def counts(found, there, num_classes=2, **kwargs):
    matrix = ConfusionMatrix(num_classes)
    matrix.add(found, there, judge(found, there, **kwargs))
    return matrix


def test_each_kind_is_counted_once():
    found = entry([A, B, C], [0.9, 0.8, 0.7], [0, 0, 1])
    there = truth([A, B, [200, 0, 210, 10]], [0, 1, 1])
    matrix = counts(found, there)
    assert matrix.counts.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert (matrix.right, matrix.confused, matrix.missed, matrix.false_alarms) == (
        *(1, 1, 1, 1),
    )


def test_a_right_detection_keeps_its_box_from_a_surer_wrong_one():
    found = entry([A, A], [0.9, 0.4], [1, 0])
    matrix = counts(found, truth([A], [0]))
    assert matrix.counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_weak_and_misplaced_detections_do_not_find():
    there = truth([A], [0])
    assert counts(entry([A], [0.2], [0]), there).missed == 1
    assert counts(entry([A], [0.2], [0]), there, score_thr=0.1).right == 1
    near = entry([[4, 0, 14, 10]], [0.9], [0])  # IoU 3 / 7
    assert counts(near, there).false_alarms == 1
    assert counts(near, there, iou_thr=0.4).right == 1


def test_crowds_and_unjudged_classes_are_no_mistake():
    crowd = truth([[0, 0, 100, 100]], [0], [True])
    assert not counts(entry([A], [0.9], [0]), crowd).counts.any()
    partly = truth([], [], checked=frozenset({0}), partial=frozenset({0}))
    assert not counts(entry([A, B], [0.9, 0.9], [0, 1]), partly).counts.any()
    wholly = truth([], [], checked=frozenset({0}))
    assert counts(entry([A, B], [0.9, 0.9], [0, 1]), wholly).false_alarms == 1


def test_nothing_found_and_nothing_there():
    nothing = entry([], [], [])
    assert counts(nothing, truth([A, B], [0, 1])).missed == 2
    assert not counts(nothing, truth([], [])).counts.any()


def test_of_several_wrong_ones_the_closest_takes_the_box():
    found = entry([[2, 0, 12, 10], A], [0.9, 0.8], [1, 1])
    verdicts = judge(found, truth([A], [0]))
    assert verdicts.matched_box.tolist() == [-1, 0]
    assert verdicts.finder.tolist() == [1]


def test_boxes_in_a_row_of_the_matrix_add_up_to_the_truth():
    rng = np.random.default_rng(0)
    matrix, wanted = ConfusionMatrix(3), np.zeros(3, int)
    for _ in range(30):
        low = rng.uniform(0, 50, (6, 2))
        boxes = np.concatenate([low, low + rng.uniform(10, 50, (6, 2))], axis=1)
        labels = rng.integers(0, 3, 6)
        found = entry(
            boxes[rng.permutation(6)] + rng.normal(0, 3, (6, 4)),
            rng.random(6),
            rng.integers(0, 3, 6),
        )
        there = truth(boxes, labels)
        matrix.add(found, there, judge(found, there))
        wanted += np.bincount(labels, minlength=3)
    assert matrix.counts[:-1].sum(axis=1).tolist() == wanted.tolist()
