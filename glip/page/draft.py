"""Boxes of one picture while somebody corrects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from glip.apis import Detections


@dataclass(frozen=True, eq=False)
class Draft:
    """What the model proposes, and what somebody made of it.

    Attributes:
        proposals: Boxes of the model; the threshold hides those that score less.
        kept_boxes: Boxes that stay whatever the threshold: drawn, moved or renamed by
            hand, or read from a file.
        removed: Proposals, by index, that somebody deleted or changed.
        threshold: Score from which on proposals are shown.
    """

    proposals: Detections
    kept_boxes: Detections
    removed: frozenset[int] = frozenset()
    threshold: float = 0.0

    @property
    def boxes(self) -> Detections:
        """What is shown, and accepted: first the kept boxes, then proposals."""
        return joined(self.kept_boxes, self.proposals[self._visible])

    @property
    def _visible(self) -> np.ndarray:
        shown = self.proposals.scores >= np.float32(self.threshold)
        shown[list(self.removed)] = False
        return np.flatnonzero(shown)

    def at(self, threshold: float) -> Draft:
        """The same work, with other proposals shown."""
        return replace(self, threshold=threshold)

    def with_proposals(self, proposals: Detections) -> Draft:
        """The boxes kept so far, and others of the model."""
        return replace(self, proposals=proposals, removed=frozenset())

    def corrected(
        self, corners: np.ndarray, names: Sequence[str], tolerance: float
    ) -> Draft:
        """Take over what was done to :attr:`boxes`.

        Args:
            corners: (M, 4) x1 y1 x2 y2 in pixels of the picture: the boxes as they are
                now.
            names: M names.
            tolerance: Pixels that a corner may be off without having been moved.

        Returns:
            A draft with these boxes. Those that did not change keep score and corners
            as they were; others score 1, as somebody vouches for them.
        """
        before = self.boxes
        origins = _origins(before, corners, names, tolerance)
        kept = [index for index in origins if index is not None]
        changed = [i for i, index in enumerate(origins) if index is None]
        count = len(self.kept_boxes)
        still_kept = sorted(index for index in kept if index < count)
        gone = set(range(count, len(before))) - set(kept)
        by_hand = replace(
            self.proposals,
            boxes=_inside(corners[changed], self.proposals.size),
            scores=np.ones(len(changed)),
            labels=np.zeros(len(changed)),
            names=[names[i] for i in changed],
        )
        removed = {int(self._visible[index - count]) for index in gone}
        return replace(
            self,
            kept_boxes=joined(self.kept_boxes[still_kept], by_hand),
            removed=self.removed | removed,
        )


def joined(first: Detections, second: Detections) -> Detections:
    """Boxes of the same picture in one, labels by the order of the names."""
    names = [*first.names, *second.names]
    classes = list(dict.fromkeys(names))
    return replace(
        second,
        boxes=np.concatenate([first.boxes, second.boxes]),
        scores=np.concatenate([first.scores, second.scores]),
        labels=np.array([classes.index(name) for name in names], dtype=np.int64),
        names=names,
        classes=classes,
    )


def without_boxes(detections: Detections) -> Detections:
    """The picture alone."""
    return detections[np.zeros(len(detections), dtype=bool)]


def _origins(
    before: Detections, corners: np.ndarray, names: Sequence[str], tolerance: float
) -> list[int | None]:
    """For each box the one that it was before, None where it is new or changed."""
    free = set(range(len(before)))
    origins: list[int | None] = []
    for box, name in zip(corners, names, strict=True):
        same = [
            index
            for index in sorted(free)
            if before.names[index] == name
            and np.abs(before.boxes[index] - box).max() <= tolerance
        ]
        origins.append(same[0] if same else None)
        free.difference_update(same[:1])
    return origins


def _inside(corners: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N, 4) corners within the picture."""
    return np.clip(corners.reshape(-1, 4), 0, [*size, *size])
