"""What is annotated in the pictures of a data set, as plots and rankings need it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glip.datasets.coco_file import CocoFile, read_coco
from glip.datasets.sample import Dropped
from glip.errors import DatasetError


@dataclass(frozen=True, eq=False)
class Truth:
    """One picture.

    Attributes:
        img_id: Its id in the annotation file.
        path: Where it is.
        boxes: (N, 4) x1 y1 x2 y2 in pixels, ends exclusive.
        labels: (N,) into the names of the set.
        ignored: (N,) whether a box stands for a crowd, which is no mistake to miss.
        checked: Classes that people looked for in it; None where that is all.
        partial: Classes of which only some are annotated.
    """

    img_id: Any
    path: str
    boxes: np.ndarray
    labels: np.ndarray
    ignored: np.ndarray
    checked: frozenset[int] | None = None
    partial: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class TruthSet:
    """The pictures of one data set, in its order.

    Attributes:
        coco: The annotation file.
        pictures: As many as the data set has.
    """

    coco: CocoFile
    pictures: tuple[Truth, ...]

    @property
    def federated(self) -> bool:
        """Whether pictures say which classes they were searched for, as LVIS's do."""
        return any(picture.checked is not None for picture in self.pictures)

    @classmethod
    def of_file(cls, ann_file: str | os.PathLike[str]) -> TruthSet:
        """Read a file of COCO or LVIS with its pictures beside it.

        Raises:
            DatasetError: It cannot be read.
        """
        path = os.fspath(ann_file)
        coco = read_coco(path, dropped=Dropped(path))
        folder = os.path.dirname(path)
        pictures = [
            _truth(image, coco, os.path.join(folder, image['file_name']))
            for image in coco.images
        ]
        return cls(coco, tuple(pictures))

    @classmethod
    def of_dataset(cls, dataset: Any) -> TruthSet:
        """The annotations of a data set as the metrics read them.

        Boxes are those of the annotation file: data sets clip theirs to the picture.

        Raises:
            DatasetError: It is not of a COCO-format file.
        """
        path = getattr(dataset, 'ann_file', None)
        if not path or not hasattr(dataset, 'cat2label'):
            raise DatasetError(
                f'{type(dataset).__name__} has no classes with boxes: this is for '
                'sets in the format of COCO or LVIS'
            )
        coco = read_coco(
            path,
            dataset.metainfo['classes'],
            category_names=dataset.metainfo.get('category_names'),
            backend_args=getattr(dataset, 'backend_args', None),
            dropped=Dropped(path),
        )
        images = {image['id']: image for image in coco.images}
        pictures = []
        for number in range(len(dataset)):
            record = dataset.get_data_info(number)
            image = images[record['img_id']]
            pictures.append(_truth(image, coco, record['img_path']))
        return cls(coco, tuple(pictures))


def _truth(image: Mapping[str, Any], coco: CocoFile, path: str) -> Truth:
    """What the file says about one picture."""
    annotations = [box for box in coco.boxes[image['id']] if not box.get('ignore')]
    boxes = np.array([box['bbox'] for box in annotations], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = [coco.labels[a['category_id']] for a in annotations]
    checked = None
    if 'neg_category_ids' in image:
        checked = frozenset(labels) | _labels(image['neg_category_ids'], coco)
    return Truth(
        img_id=image['id'],
        path=path,
        boxes=boxes,
        labels=np.array(labels, dtype=np.int64),
        ignored=np.array([bool(a['iscrowd']) for a in annotations], dtype=bool),
        checked=checked,
        partial=_labels(image.get('not_exhaustive_category_ids', ()), coco),
    )


def _labels(category_ids: Sequence[int], coco: CocoFile) -> frozenset[int]:
    return frozenset(coco.labels[i] for i in category_ids if i in coco.labels)
