"""Which of a teacher's boxes become labels."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import torch
from torchvision.ops import batched_nms

from glip.errors import ConfigError


@dataclass(frozen=True)
class Screens:
    """Limits that boxes have to pass, one after the other in this order.

    Attributes:
        score_thr: Least score.
        min_size: Least width and height in pixels of the picture.
        nms_thr: Of two boxes of a phrase that overlap by a larger IoU, the better
            stays.
        max_per_phrase: Most boxes of a phrase or class, the best; 0 for any number.
        max_per_picture: Most boxes of a record (a picture with one caption, or with
            classes), the best; 0 for any number.

    Raises:
        ConfigError: A limit makes no sense.

    Source: the paper, section 3.3 (score 0.5), and microsoft/GLIP ``CaptionTSV``.
    """

    score_thr: float = 0.5
    min_size: float = 4.0
    nms_thr: float = 0.6
    max_per_phrase: int = 20
    max_per_picture: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.score_thr <= 1 or not 0 < self.nms_thr <= 1:
            raise ConfigError(
                f'score_thr={self.score_thr} must be from 0 to 1, and '
                f'nms_thr={self.nms_thr} above 0 and at most 1'
            )
        limits = (self.min_size, self.max_per_phrase, self.max_per_picture)
        if not all(limit >= 0 for limit in limits):
            raise ConfigError(
                f'min_size={self.min_size}, max_per_phrase={self.max_per_phrase}, '
                f'max_per_picture={self.max_per_picture}: none can be below 0'
            )

    def __call__(
        self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray
    ) -> tuple[np.ndarray, Counter[str]]:
        """Choose among the boxes of one record.

        Args:
            boxes: (N, 4) corners in pixels.
            scores: (N,).
            labels: (N,) phrase or class of each.

        Returns:
            Indices of the boxes that pass, best first, and how many each screen
            stopped.
        """
        kept = np.argsort(-scores, kind='stable')
        stopped: Counter[str] = Counter()

        def pass_on(name: str, chosen: np.ndarray) -> None:
            nonlocal kept
            if len(chosen) < len(kept):
                stopped[name] += len(kept) - len(chosen)
            kept = chosen

        pass_on('score', kept[scores[kept] >= np.float32(self.score_thr)])
        sizes = (boxes[kept, 2:] - boxes[kept, :2]).min(axis=1, initial=np.inf)
        pass_on('size', kept[sizes >= self.min_size])
        pass_on('overlap', kept[self._apart(boxes[kept], scores[kept], labels[kept])])
        if self.max_per_phrase:
            ranks = _ranks(labels[kept])
            pass_on('phrase limit', kept[ranks < self.max_per_phrase])
        if self.max_per_picture:
            pass_on('picture limit', kept[: self.max_per_picture])
        return kept, stopped

    def _apart(
        self, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Indices that NMS within each phrase leaves, in their order."""
        left = batched_nms(
            torch.from_numpy(boxes).float(),
            torch.from_numpy(scores).float(),
            torch.from_numpy(labels),
            self.nms_thr,
        )
        return np.sort(left.numpy())


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Place of each entry among those of its label."""
    counts: Counter[int] = Counter()
    ranks = []
    for label in labels.tolist():
        ranks.append(counts[label])
        counts[label] += 1
    return np.array(ranks, dtype=np.int64)
