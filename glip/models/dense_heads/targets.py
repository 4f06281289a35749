"""What each anchor should predict: box, centerness and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from .ground_truth import GroundTruth


def centerness_target(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Centerness (arXiv 1904.01355, eq. 3) of anchor centers in boxes.

    Args:
        anchors: Shape (..., 4).
        boxes: Shape (..., 4).

    Returns:
        Shape (...); of no meaning where the center is outside of the box.
    """
    center = (anchors[..., :2] + anchors[..., 2:]) / 2
    near, far = center - boxes[..., :2], boxes[..., 2:] - center
    low, high = torch.minimum(near, far), torch.maximum(near, far)
    return (low / high).prod(-1).clamp(min=0).sqrt()


@dataclass(frozen=True)
class Targets:
    """Targets of N anchors in B pictures; those of the background are of no meaning.

    Attributes:
        positive: Whether an anchor has a box, shape (B, N).
        boxes: Inclusive boxes, shape (B, N, 4).
        centerness: Centerness, zero for the background, shape (B, N).
        tokens: Binary token targets, False for the background, shape (B, N, T).
        weights: How much the anchor of a box counts, 1 for the background, shape
            (B, N); None where all count 1.
    """

    positive: Tensor
    boxes: Tensor
    centerness: Tensor
    tokens: Tensor
    weights: Tensor | None = None


def make_targets(
    assigner, anchors: Tensor, level_sizes: Sequence[int], truth: GroundTruth
) -> Targets:
    """Targets of a batch, without waiting for the device.

    Args:
        assigner: ``ATSSAssigner``, or any of mmdet's assigners, which then works
            picture by picture.
        anchors: Inclusive anchors of all levels, (N, 4).
        level_sizes: Anchors per level.
        truth: Boxes and tokens.
    """
    batched = getattr(assigner, 'assign_batch', None)
    if batched is None or getattr(assigner, 'alpha', None) is not None:
        owner = _one_by_one(assigner, anchors, level_sizes, truth)
    else:
        owner = batched(anchors, level_sizes, truth.boxes, truth.valid)
    picture = torch.arange(len(owner), device=owner.device)[:, None]
    positive = owner >= 0
    boxes = truth.boxes[picture, owner]
    centerness = centerness_target(anchors, boxes)
    weights = truth.weights
    if weights is not None:
        weights = weights[picture, owner].where(positive, 1.0)
    return Targets(
        positive,
        boxes,
        centerness.where(positive, 0),
        truth.tokens[picture, owner],
        weights,
    )


def _one_by_one(
    assigner, anchors: Tensor, level_sizes: Sequence[int], truth: GroundTruth
) -> Tensor:
    """Index of the box of each anchor, -1 for none, by an assigner of one picture."""
    owners = []
    for boxes, valid in zip(truth.boxes, truth.valid, strict=True):
        rows = valid.nonzero()[:, 0]
        result = assigner.assign(
            InstanceData(priors=anchors),
            list(level_sizes),
            InstanceData(bboxes=boxes[rows], labels=torch.zeros_like(rows)),
        )
        # Theirs count from 1; 0 is background and -1 is to be ignored.
        rows = torch.cat((rows.new_full((1,), -1), rows))
        owners.append(rows[result.gt_inds.clamp(min=0)])
    return torch.stack(owners)
