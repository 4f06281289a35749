"""Confusion, judged by hand."""

import numpy as np
from predictions import entry, truth

from glip.report.judged_pictures import confusion_matrix, judge

A, B, C = [0, 0, 10, 10], [50, 50, 60, 60], [100, 0, 110, 10]


def judged(detected, there, **kwargs):
    """Found, taken for another class, missed and false alarms."""
    return judge(detected, there, **kwargs).counts


def test_each_kind_is_counted_once():
    detected = entry([A, B, C], [0.9, 0.8, 0.7], [0, 0, 1])
    there = truth([A, B, [200, 0, 210, 10]], [0, 1, 1])
    verdicts = judge(detected, there)
    counts = confusion_matrix([verdicts], 2)
    assert counts.tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert verdicts.counts == (1, 1, 1, 1)


def test_a_right_detection_keeps_its_box_from_a_surer_wrong_one():
    verdicts = judge(entry([A, A], [0.9, 0.4], [1, 0]), truth([A], [0]))
    counts = confusion_matrix([verdicts], 2)
    assert counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_weak_and_misplaced_detections_do_not_find():
    there = truth([A], [0])
    assert judged(entry([A], [0.2], [0]), there) == (0, 0, 1, 0)
    assert judged(entry([A], [0.2], [0]), there, score_thr=0.1) == (1, 0, 0, 0)
    near = entry([[4, 0, 14, 10]], [0.9], [0])  # IoU 3 / 7
    assert judged(near, there) == (0, 0, 1, 1)
    assert judged(near, there, iou_thr=0.4) == (1, 0, 0, 0)


def test_crowds_and_unjudged_classes_are_no_mistake():
    crowd = truth([[0, 0, 100, 100]], [0], [True])
    assert judged(entry([A], [0.9], [0]), crowd) == (0, 0, 0, 0)
    partly = truth([], [], checked=frozenset({0}), partial=frozenset({0}))
    assert judged(entry([A, B], [0.9, 0.9], [0, 1]), partly) == (0, 0, 0, 0)
    wholly = truth([], [], checked=frozenset({0}))
    assert judged(entry([A, B], [0.9, 0.9], [0, 1]), wholly) == (0, 0, 0, 1)


def test_nothing_found_and_nothing_there():
    nothing = entry([], [], [])
    assert judged(nothing, truth([A, B], [0, 1])) == (0, 0, 2, 0)
    assert not confusion_matrix([judge(nothing, truth([], []))], 2).any()


def test_of_several_wrong_ones_the_closest_takes_the_box():
    found = entry([[2, 0, 12, 10], A], [0.9, 0.8], [1, 1])
    verdicts = judge(found, truth([A], [0]))
    assert verdicts.matched_box.tolist() == [-1, 0]
    assert verdicts.true_labels.tolist() == [-1, 0]
    assert not verdicts.missed.any()


def test_boxes_in_a_row_of_the_matrix_add_up_to_the_truth():
    rng = np.random.default_rng(0)
    verdicts, wanted = [], np.zeros(3, int)
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
        verdicts.append(judge(found, there))
        wanted += np.bincount(labels, minlength=3)
    counts = confusion_matrix(verdicts, 3)
    assert counts[:-1].sum(axis=1).tolist() == wanted.tolist()
