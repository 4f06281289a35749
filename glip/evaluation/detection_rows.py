"""Detections of many pictures, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class DetectionRows:
    """Detections of all pictures, one row each.

    Attributes:
        images: (N,) numbers of their pictures in ``ids``.
        labels: (N,) classes.
        boxes: (N, 4) x y w h in pixels.
        scores: (N,).
        ids: The pictures that were evaluated.
    """

    images: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    ids: tuple[Any, ...]

    @classmethod
    def of(cls, results: Sequence[Mapping[str, Any]]) -> DetectionRows:
        """Join entries of single pictures, in the order of their ids.

        That order settles which of two equal scores comes first, as in COCO's tool.

        Args:
            results: ``img_id``, ``bboxes`` (n, 4) x1 y1 x2 y2, ``scores``, ``labels``.
        """
        results = sorted(
            results,
            key=lambda entry: (isinstance(entry['img_id'], str), entry['img_id']),
        )
        counts = [len(entry['scores']) for entry in results]
        corners = _joined([entry['bboxes'] for entry in results], (0, 4), np.float64)
        boxes = corners.copy()
        boxes[:, 2:] -= corners[:, :2]
        return cls(
            np.repeat(np.arange(len(results)), counts),
            _joined([entry['labels'] for entry in results], (0,), np.int64),
            boxes,
            _joined([entry['scores'] for entry in results], (0,), np.float64),
            tuple(entry['img_id'] for entry in results),
        )

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        """Images, labels, boxes and scores."""
        return self.images, self.labels, self.boxes, self.scores

    def take(self, rows: np.ndarray) -> DetectionRows:
        """Some of the detections."""
        return DetectionRows(*(column[rows] for column in self.columns), self.ids)

    def with_area(self) -> DetectionRows:
        """Without those that cover nothing."""
        return self.take(self.boxes[:, 2] * self.boxes[:, 3] > 0)

    def best_per_image(self, limit: int) -> DetectionRows:
        """At most ``limit`` of each picture, those of the highest scores."""
        return self.take(best_rows(self.images, self.scores, limit))

    def best_per_class(self, limit: int) -> DetectionRows:
        """At most ``limit`` of each class over all pictures."""
        return self.take(best_rows(self.labels, self.scores, limit))


def _joined(parts: Sequence[Any], empty: tuple[int, ...], kind: type) -> np.ndarray:
    return np.concatenate([np.zeros(empty, kind), *map(np.asarray, parts)]).astype(kind)


def best_rows(groups: np.ndarray, scores: np.ndarray, limit: int) -> np.ndarray:
    """Rows of the ``limit`` highest scores of each group, in their order."""
    order = np.lexsort((-scores, groups))
    first = np.searchsorted(groups[order], groups[order])
    rank = np.arange(len(order)) - first
    return np.sort(order[rank < limit])
