"""Average precision against pycocotools, by hand, and in parts."""

import json

import coco_folder
import numpy as np
import pytest
from known_detections import made_from, records
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from glip.datasets import read_coco
from glip.evaluation import box_ap as module
from glip.evaluation.box_ap import box_ap
from glip.evaluation.detection_rows import DetectionRows


def twelve(evaluation) -> list[float]:
    """The numbers that COCO's tool prints."""
    sizes = ('small', 'medium', 'large')
    return [
        evaluation.ap(limit=100),
        evaluation.ap(iou=0.5),
        evaluation.ap(iou=0.75),
        *(evaluation.ap(area=area) for area in sizes),
        *(evaluation.ar(limit=limit) for limit in (1, 10, 100)),
        *(evaluation.ar(area=area) for area in sizes),
    ]


def by_pycocotools(coco, found):
    truth = COCO()
    annotations = [a for boxes in coco.boxes.values() for a in boxes]
    truth.dataset = {
        'info': {},
        'images': [dict(image) for image in coco.images],
        'categories': [{'id': i} for i in coco.category_ids],
        'annotations': [dict(a, id=n) for n, a in enumerate(annotations, 1)],
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(records(found, coco)), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def same_as_pycocotools(path, monkeypatch):
    coco = read_coco(path)
    found = made_from(coco)
    expected = by_pycocotools(coco, found)
    for pairs in (1_000_000, 200):  # all classes together, and few at a time
        monkeypatch.setattr(module, '_PAIRS', pairs)
        evaluation = box_ap(coco, DetectionRows.of(found))
        assert twelve(evaluation) == pytest.approx(expected.stats, abs=1e-12)
    for label, category in enumerate(coco.category_ids):
        place = sorted(coco.category_ids).index(category)
        own = expected.eval['precision'][:, :, place, 0, -1]
        value = own.mean() if (own > -1).any() else -1
        assert evaluation.ap(classes=[label]) == pytest.approx(value, abs=1e-12)


def test_many_classes_and_sizes(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    ids = rng.permutation(90)[:80].tolist()
    content = {
        'images': [
            {'id': i, 'file_name': f'{i}.png', 'width': 400, 'height': 400}
            for i in rng.permutation(60).tolist()
        ],
        'categories': [{'id': i, 'name': f'thing {i}'} for i in ids],
        'annotations': [],
    }
    for number in range(500):
        size = np.round(np.exp(rng.uniform(1, 5.2, 2)), 2)
        corner = np.round(rng.random(2) * (400 - size), 2)
        annotation = {'id': number, 'image_id': int(rng.integers(55)), 'iscrowd': 0}
        annotation['category_id'] = ids[int(rng.integers(50) * rng.random())]
        annotation['bbox'] = [*corner.tolist(), *size.tolist()]
        # As of masks, which fill a part of their boxes.
        annotation['area'] = float(np.prod(size) * rng.uniform(0.4, 1))
        content['annotations'].append(annotation)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    same_as_pycocotools(path, monkeypatch)


def test_drawn_pictures_with_crowds_and_ids_in_any_order(tmp_path, monkeypatch):
    content = coco_folder.content(num_images=30, size=(300, 300))
    rng = np.random.default_rng(3)
    for annotation in content['annotations']:
        annotation['iscrowd'] = int(rng.random() < 0.2)
        annotation['bbox'][2:] = rng.integers(5, 200, 2).tolist()
        annotation['area'] = int(np.prod(annotation['bbox'][2:]))
    rng.shuffle(content['images'])
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(content))
    same_as_pycocotools(path, monkeypatch)


def test_order_of_pictures_changes_nothing(tmp_path):
    coco = read_coco(coco_folder.write(tmp_path, num_images=9))
    found = made_from(coco)
    one, other = (
        twelve(box_ap(coco, DetectionRows.of(f))) for f in (found, found[::-1])
    )
    assert one == other


def entry(image_id, scores, labels):
    count = len(scores)
    return {
        'img_id': image_id,
        'bboxes': np.tile([0, 0, 9, 9.0], (count, 1)),
        'scores': np.array(scores),
        'labels': np.array(labels),
    }


def test_limits_keep_the_best():
    found = DetectionRows.of(
        [entry(2, [0.1, 0.9, 0.5], [0, 0, 1]), entry(1, [0.7], [0])]
    )
    assert found.ids == (1, 2)
    assert found.best_per_image(2).scores.tolist() == [0.7, 0.9, 0.5]
    assert found.best_per_class(1).scores.tolist() == [0.9, 0.5]
    assert found.best_per_class(2).scores.tolist() == [0.7, 0.9, 0.5]


def test_nothing_at_all(tmp_path):
    coco = read_coco(coco_folder.write(tmp_path))
    assert twelve(box_ap(coco, DetectionRows.of([])))[0] == -1
    empty = [entry(image['id'], [], []) for image in coco.images]
    assert twelve(box_ap(coco, DetectionRows.of(empty)))[0] == 0
