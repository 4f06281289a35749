"""Make predictions as ``tools/test.py --out`` writes them."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glip.datasets.coco_file import CocoFile
from glip.evaluation.truth import Truth


def perfect(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Every box of an annotation file found, classes in the order of the file."""
    label = {c['id']: i for i, c in enumerate(data['categories'])}
    found = []
    for image in data['images']:
        own = [a for a in data['annotations'] if a['image_id'] == image['id']]
        boxes = np.array([a['bbox'] for a in own], dtype=np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        found.append(
            sample(
                image['id'],
                boxes,
                np.linspace(0.9, 0.8, len(own)),
                [label[a['category_id']] for a in own],
                ori_shape=(image['height'], image['width']),
            )
        )
    return found


def sample(img_id: Any, boxes: Any, scores: Any, labels: Any, **more: Any) -> dict:
    """One data sample."""
    return {
        'img_id': img_id,
        'img_path': f'{img_id}.png',
        **more,
        'pred_instances': {
            'bboxes': torch.as_tensor(np.asarray(boxes, dtype=np.float32)).reshape(
                -1, 4
            ),
            'scores': torch.as_tensor(np.asarray(scores, dtype=np.float32)),
            'labels': torch.as_tensor(np.asarray(labels, dtype=np.int64)),
        },
    }


def write(path: Path, content: Any) -> Path:
    """A .pkl file."""
    path.write_bytes(pickle.dumps(content))
    return path


def truth(boxes: Any, labels: Any, ignored: Any = None, **more: Any) -> Truth:
    """What is annotated in a picture."""
    ignored = np.zeros(len(labels), bool) if ignored is None else np.array(ignored)
    boxes = np.array(boxes, float).reshape(-1, 4)
    labels = np.array(labels, dtype=int)
    return Truth(1, 'x.png', boxes, labels, ignored, **more)


def coco_of(truths: Sequence[Truth], num_classes: int) -> CocoFile:
    """The annotation file that has these pictures, whose ids count from 1."""
    images, boxes = [], {}
    for image_id, one in enumerate(truths, 1):
        image = {'id': image_id}
        if one.checked is not None:
            image['neg_category_ids'] = sorted(one.checked - set(one.labels.tolist()))
            image['not_exhaustive_category_ids'] = sorted(one.partial)
        images.append(image)
        sizes = one.boxes[:, 2:] - one.boxes[:, :2]
        boxes[image_id] = tuple(
            {
                'bbox': [*box[:2].tolist(), *size.tolist()],
                'area': float(size.prod()),
                'iscrowd': int(ignored),
                'category_id': int(label),
            }
            for box, size, label, ignored in zip(
                one.boxes, sizes, one.labels, one.ignored
            )
        )
    classes = range(num_classes)
    return CocoFile(
        path='x.json',
        names=tuple(map(str, classes)),
        category_ids=tuple(classes),
        labels={label: label for label in classes},
        images=tuple(images),
        boxes=boxes,
    )


def entry(boxes: Any, scores: Any, labels: Any) -> dict[str, Any]:
    """What a metric keeps of a picture."""
    return {
        'img_id': 1,
        'bboxes': np.array(boxes, float).reshape(-1, 4),
        'scores': np.array(scores, float),
        'labels': np.array(labels, dtype=int),
    }
