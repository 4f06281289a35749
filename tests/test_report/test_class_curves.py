"""AP by class against pycocotools, and by hand."""

import contextlib
import io

import numpy as np
import pytest
from predictions import coco_of, entry, truth
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from glip.evaluation.box_ap import box_hits
from glip.evaluation.detection_rows import DetectionRows
from glip.evaluation.overlaps import overlaps
from glip.report.class_curves import class_curves
from glip.report.ranking import picture_ap


def test_overlaps_by_hand():
    boxes = np.array([[0, 0, 10, 10], [100, 100, 110, 110], [0, 0, 5, 10.0]])
    found = np.array([[0, 0, 10, 10], [5, 0, 15, 10.0]])
    assert overlaps(found, boxes) == pytest.approx(
        np.array([[1, 0, 0.5], [1 / 3, 0, 0]])
    )
    crowds = np.array([True, False, False])
    assert overlaps(found, boxes, crowds)[1, 0] == pytest.approx(0.5)
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]


def hits_of(found, there, num_classes=1, **options):
    """Of each detection whether it hits, and whether it counts."""
    coco = coco_of([there], num_classes)
    hits, counted = box_hits(coco, DetectionRows.of([found]), **options)
    return hits.tolist(), counted.tolist()


def curves_of(pairs, num_classes):
    coco = coco_of([there for _, there in pairs], num_classes)
    entries = [dict(found, img_id=i) for i, (found, _) in enumerate(pairs, 1)]
    return class_curves(coco, entries)


def test_a_second_detection_of_a_box_is_a_mistake():
    there = truth([[0, 0, 10, 10]], [0])
    found = entry([[0, 0, 10, 10], [0, 0, 10, 9]], [0.5, 0.9], [0, 0])
    assert hits_of(found, there) == ([False, True], [True, True])
    # IoU 0.9 is not enough at 0.95, so the other one takes the box.
    assert hits_of(found, there, iou=0.95)[0] == [True, False]
    assert hits_of(found, there, iou=0.95, limit=1) == ([False] * 2, [False, True])


def test_what_lies_on_a_crowd_does_not_count():
    there = truth([[0, 0, 100, 100]], [0], [True])
    found = entry([[0, 0, 10, 10], [200, 0, 210, 10]], [0.9, 0.8], [0, 0])
    assert hits_of(found, there) == ([False, False], [False, True])


def test_classes_that_nobody_looked_for_are_left_out():
    there = truth(
        [[0, 0, 9, 9]], [0], checked=frozenset({0, 1, 3}), partial=frozenset({1})
    )
    boxes = [[0, 0, 9, 9], [20, 20, 30, 30], [40, 40, 50, 50], [20, 20, 30, 30]]
    found = entry(boxes, [0.9, 0.8, 0.7, 0.6], [0, 1, 2, 3])
    hits, counted = hits_of(found, there, 4, federated=True)
    assert hits == [True, False, False, False]
    assert counted == [True, False, False, True]


def test_half_of_the_boxes_found_is_half_of_ap():
    found = entry([[0, 0, 9, 9]], [0.9], [0])
    there = truth([[0, 0, 9, 9], [50, 50, 60, 60]], [0, 0])
    curves = curves_of([(found, there)], 2)
    assert curves.counts.tolist() == [2, 0]
    assert curves.ap[0] == pytest.approx(51 / 101)
    assert np.isnan(curves.ap[1]) and np.isnan(curves.precision[1]).all()
    assert curves.best_score[0] == 0.9 and curves.best_recall[0] == 0.5
    assert curves.threshold == 0.9
    assert picture_ap(found, there, coco_of([there], 2)) == pytest.approx(51 / 101)


def test_nothing_found_is_zero_and_nothing_to_find_is_no_number():
    curves = curves_of([(entry([], [], []), truth([[0, 0, 9, 9]], [0]))], 1)
    assert curves.ap.tolist() == [0] and np.isnan(curves.threshold)
    empty = truth([], [])
    stray = entry([[0, 0, 9, 9]], [1], [0])
    assert np.isnan(picture_ap(stray, empty, coco_of([empty], 1)))


def test_the_ap_of_a_picture_is_over_its_classes():
    there = truth(
        [[0, 0, 9, 9], [50, 50, 60, 60], [0, 0, 99, 99]],
        [1, 3, 2],
        [False, False, True],
    )
    found = entry([[0, 0, 9, 9], [50, 50, 60, 60]], [0.9, 0.8], [1, 0])
    assert picture_ap(found, there, coco_of([there], 4)) == pytest.approx(0.5)


def test_the_threshold_between_good_and_bad_detections_is_found():
    good, bad = [0, 0, 10, 10], [50, 50, 60, 60]
    pairs = [
        (entry([good, bad], [0.7, 0.4], [0, 0]), truth([good], [0])),
        (entry([good, bad], [0.6, 0.5], [1, 1]), truth([good], [1])),
    ]
    curves = curves_of(pairs, 2)
    assert curves.threshold == 0.6
    assert curves.best_score.tolist() == [0.7, 0.6]


@pytest.mark.parametrize('seed', range(4))
def test_ap_is_that_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    num_classes, pairs = 5, []
    coco = {'info': {}, 'images': [], 'annotations': [], 'categories': []}
    coco['categories'] = [{'id': i + 1, 'name': str(i)} for i in range(num_classes)]
    results = []
    for image_id in range(1, 25):
        coco['images'].append({'id': image_id, 'width': 200, 'height': 200})
        count = int(rng.integers(0, 9))
        low = rng.uniform(0, 120, (count, 2))
        boxes = np.concatenate([low, low + rng.uniform(15, 70, (count, 2))], axis=1)
        labels = rng.integers(0, num_classes, count)
        crowds = rng.random(count) < 0.15
        # Some close to the boxes, some anywhere; equal scores on purpose.
        near = boxes + rng.normal(0, 4, boxes.shape)
        more = rng.uniform(0, 100, (6, 2))
        anywhere = np.concatenate([more, more + rng.uniform(20, 90, (6, 2))], axis=1)
        found = entry(
            np.concatenate([near, near + 2, anywhere]),
            rng.integers(1, 30, 2 * count + 6) / 30,
            np.concatenate([labels, labels, rng.integers(0, num_classes, 6)]),
        )
        pairs.append((found, truth(boxes, labels, crowds)))
        for box, label, crowd in zip(boxes, labels, crowds):
            x1, y1, x2, y2 = box.tolist()
            size = [x2 - x1, y2 - y1]
            coco['annotations'].append(
                {
                    'id': len(coco['annotations']) + 1,
                    'image_id': image_id,
                    'category_id': int(label) + 1,
                    'bbox': [x1, y1, *size],
                    'area': size[0] * size[1],
                    'iscrowd': int(crowd),
                }
            )
        for box, score, label in zip(found['bboxes'], found['scores'], found['labels']):
            x1, y1, x2, y2 = box.tolist()
            results.append(
                {
                    'image_id': image_id,
                    'category_id': int(label) + 1,
                    'bbox': [x1, y1, x2 - x1, y2 - y1],
                    'score': float(score),
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        there.dataset = coco
        there.createIndex()
        judge = COCOeval(there, there.loadRes(results), 'bbox')
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval['precision'][:, :, :, 0, -1]  # (T, R, K)
    curves = curves_of(pairs, num_classes)
    assert curves.ap == pytest.approx(precision.mean(axis=(0, 1)), abs=1e-9)
    assert curves.ap50 == pytest.approx(precision[0].mean(axis=0), abs=1e-9)
    assert curves.ap75 == pytest.approx(precision[5].mean(axis=0), abs=1e-9)
    assert curves.precision.T == pytest.approx(precision[0], abs=1e-9)
