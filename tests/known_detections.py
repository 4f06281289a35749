"""Detections made from the truth by known rules."""

from typing import Any

import numpy as np

from glip.datasets import CocoFile


def made_from(coco: CocoFile, seed: int = 0, extra: int = 3) -> list[dict[str, Any]]:
    """Some missed, some moved, some twice, some of the wrong class, some anywhere.

    Scores have two digits, so many are equal.
    """
    rng = np.random.default_rng(seed)
    classes, found = len(coco.names), []
    for image in coco.images:
        boxes, scores, labels = [], [], []
        for truth in coco.boxes[image['id']]:
            x, y, w, h = truth['bbox']
            if rng.random() < 0.2:
                continue
            moved = rng.normal(0, 0.08, 4) * (w, h, w, h)
            right = coco.labels[truth['category_id']]
            label = right if rng.random() < 0.85 else int(rng.integers(classes))
            for _ in range(1 + (rng.random() < 0.3)):
                boxes.append(np.array([x, y, x + w, y + h]) + moved)
                scores.append(round(rng.random(), 2))
                labels.append(label)
        for _ in range(extra):
            corner = rng.random(2) * 300
            boxes.append(np.concatenate([corner, corner + 5 + rng.random(2) * 200]))
            scores.append(round(rng.random(), 2))
            labels.append(int(rng.integers(classes)))
        found.append(
            {
                'img_id': image['id'],
                'bboxes': np.array(boxes).reshape(-1, 4),
                'scores': np.array(scores),
                'labels': np.array(labels, dtype=int),
            }
        )
    return found


def records(found: list[dict[str, Any]], coco: CocoFile) -> list[dict[str, Any]]:
    """The same in COCO's result format."""
    return [
        {
            'image_id': entry['img_id'],
            'category_id': coco.category_ids[label],
            'bbox': [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            'score': score,
        }
        for entry in found
        for box, score, label in zip(
            entry['bboxes'].tolist(), entry['scores'].tolist(), entry['labels'].tolist()
        )
    ]
