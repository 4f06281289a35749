"""Adaptive training sample selection (arXiv 1912.02424) of a whole batch at once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from glip.registry import TASK_UTILS

from .box_overlaps import BboxOverlaps2D_GLIP

# Most distances held at a time (64 MB); more boxes than that are taken in parts.
_MAX_DISTANCES = 1 << 24
# A center must lie this far inside its box, in pixels.
_MIN_INSIDE = 0.01


@TASK_UTILS.register_module()
class ATSSAssigner:
    """mmdet's assigner of this name in a form for batches, :meth:`assign_batch`.

    That form makes the same choices with a fixed number of operations on the device,
    none of which the host has to wait for. It looks at the overlap of the candidates
    only, not of every anchor with every box.

    Args:
        topk: Candidates per box and pyramid level.
        iou_calculator: Overlap of boxes; must know ``is_aligned``.
        alpha: Cost of DDOD; such an assigner works picture by picture.
        ignore_iof_thr: mmdet's, for :meth:`assign`.
    """

    def __init__(
        self,
        topk: int,
        alpha: float | None = None,
        iou_calculator: dict | None = None,
        ignore_iof_thr: float = -1,
    ) -> None:
        self.topk, self.alpha, self.ignore_iof_thr = topk, alpha, ignore_iof_thr
        self.iou_calculator: Any = TASK_UTILS.build(
            iou_calculator or dict(type='BboxOverlaps2D')
        )
        if type(self.iou_calculator).__name__ == BboxOverlaps2D_GLIP.__name__:
            self.iou_calculator = BboxOverlaps2D_GLIP()  # mmdet's ignores is_aligned

    def assign(self, *args: Any, **kwargs: Any) -> Any:
        """Boxes of the anchors of one picture, by mmdet's assigner."""
        from mmdet.models.task_modules import ATSSAssigner as MMDetATSSAssigner

        theirs = MMDetATSSAssigner(
            self.topk, alpha=self.alpha, ignore_iof_thr=self.ignore_iof_thr
        )
        theirs.iou_calculator = self.iou_calculator
        return theirs.assign(*args, **kwargs)

    @torch.no_grad()
    def assign_batch(
        self, anchors: Tensor, level_sizes: Sequence[int], boxes: Tensor, valid: Tensor
    ) -> Tensor:
        """Box of every anchor of every picture.

        Args:
            anchors: Anchors of all levels, shape (N, 4).
            level_sizes: Anchors per level.
            boxes: Boxes of B pictures padded to equal number, shape (B, G, 4).
            valid: False for rows that are no box, shape (B, G).

        Returns:
            Index of the box or -1 for background, shape (B, N).
        """
        batch, count = boxes.shape[:2]
        if count == 0:
            return boxes.new_full((batch, len(anchors)), -1, dtype=torch.long)
        # Candidates are listed by rank (K rows), boxes of all pictures side by side.
        flat = boxes.flatten(0, 1)
        index = self._nearest(anchors, level_sizes, flat)
        near = anchors[index]
        overlaps = self.iou_calculator(
            near.flatten(0, 1), flat.expand_as(near).flatten(0, 1), is_aligned=True
        ).view_as(index)
        centers = _centers(near)
        inside = torch.cat((centers - flat[:, :2], flat[:, 2:] - centers), -1)
        positive = overlaps >= overlaps.mean(0) + overlaps.std(0)
        positive &= (inside.amin(-1) > _MIN_INSIDE) & valid.flatten()

        # An anchor wanted by several boxes goes to the one that it overlaps most, and
        # among equals to the first.
        picture = torch.arange(batch, device=boxes.device).repeat_interleave(count)
        slot = (index + picture * len(anchors)).flatten()
        overlaps = overlaps.where(positive, -1).flatten()
        best = overlaps.new_full((batch * len(anchors),), -1)
        best = best.scatter_reduce(0, slot, overlaps, 'amax')
        wins = positive.flatten() & (overlaps == best[slot])
        box = torch.arange(count, device=boxes.device).repeat(batch)
        box = box.expand_as(index).flatten().where(wins, count)
        owner = box.new_full((batch * len(anchors),), count)
        owner = owner.scatter_reduce(0, slot, box, 'amin')
        return owner.where(owner < count, -1).view(batch, -1)

    def _nearest(
        self, anchors: Tensor, level_sizes: Sequence[int], boxes: Tensor
    ) -> Tensor:
        """Anchors whose centers are nearest to each box, ``topk`` a level, (K, M)."""
        indices, start = [], 0
        box_centers = _centers(boxes)
        for level in _centers(anchors).split(list(level_sizes)):
            topk = min(self.topk, len(level))
            part = max(1, _MAX_DISTANCES // max(1, len(level)))
            nearest = [
                _distances(some, level).topk(topk, dim=1, largest=False).indices
                for some in box_centers.split(part)
            ]
            indices.append(torch.cat(nearest).t() + start)
            start += len(level)
        return torch.cat(indices)


def _centers(boxes: Tensor) -> Tensor:
    return (boxes[..., :2] + boxes[..., 2:]) / 2


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """Euclidean distance of every pair of points, (M, 2) and (N, 2) to (M, N)."""
    dx = one[:, None, 0] - other[:, 0]
    dy = one[:, None, 1] - other[:, 1]
    return dx.square_().add_(dy.square_()).sqrt_()
