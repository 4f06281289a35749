"""The three losses of the grounding head."""

import torch
from torch import Tensor, distributed, nn

from .targets import Targets


def grounding_losses(
    logits: Tensor,
    deltas: Tensor,
    centerness: Tensor,
    *,
    token_mask: Tensor,
    anchors: Tensor,
    targets: Targets,
    bbox_coder,
    loss_cls: nn.Module,
    loss_bbox: nn.Module,
    loss_centerness: nn.Module,
) -> dict[str, Tensor]:
    """Losses of a batch (paper eq. 1-3 and the original's ``modeling/rpn/loss.py``).

    Anchors of the background take part in the box losses with weight zero instead of
    being left out, so the host never has to know how many anchors are positive, and
    every parameter is in the graph even when there are no boxes at all.

    All that an anchor of a box adds to a loss is multiplied by the weight of the box,
    and divided by what it would be without weights: boxes of little weight have little
    gradient.

    Args:
        logits: Token logits, (B, N, T).
        deltas: Box deltas, (B, N, 4).
        centerness: Centerness logits, (B, N).
        token_mask: True where a token is real, (B, T).
        anchors: Inclusive anchors, (N, 4).
        targets: What they should be.
        bbox_coder: Turns deltas into boxes.
        loss_cls: Focal loss over tokens, summed over all pictures and divided by the
            number of positive anchors.
        loss_bbox: Box loss, averaged with the centerness targets as weights.
        loss_centerness: Binary loss, divided by the number of positive anchors.

    Returns:
        ``loss_cls``, ``loss_bbox`` and ``loss_centerness``.
    """
    positive, quality = targets.positive, targets.centerness
    # Mean over the processes of a distributed run, as gradients are averaged there.
    count, total_quality = _mean_over_processes(
        torch.stack((positive.sum().float(), quality.sum()))
    )
    count, total_quality = count.clamp(min=1), total_quality.clamp(min=1e-6)

    logits = logits.float()
    tokens = targets.tokens.flatten(0, 1)
    valid = token_mask[:, None].expand_as(logits)
    if targets.weights is not None:
        valid = valid * targets.weights[..., None]
        tokens = tokens.float()  # with weights that are no truth values
    words = loss_cls(
        logits.flatten(0, 1), tokens, weight=valid.flatten(0, 1), avg_factor=count
    )
    # A zero for the background also stops whatever is not finite there.
    deltas = deltas.float().where(positive[..., None], 0)
    boxes = bbox_coder.decode(anchors.expand_as(deltas), deltas)
    per_box = loss_bbox(
        boxes.flatten(0, 1), targets.boxes.flatten(0, 1), reduction_override='none'
    )
    per_center = loss_centerness(
        centerness.float().where(positive, 0).flatten(),
        quality.flatten(),
        reduction_override='none',
    )
    if targets.weights is not None:
        per_box = per_box * targets.weights.flatten()
        per_center = per_center * targets.weights.flatten()
    return dict(
        loss_cls=words,
        loss_bbox=(per_box * quality.flatten()).sum() / total_quality,
        loss_centerness=(per_center * positive.flatten()).sum() / count,
    )


def _mean_over_processes(values: Tensor) -> Tensor:
    if not (distributed.is_available() and distributed.is_initialized()):
        return values
    values = values / distributed.get_world_size()
    distributed.all_reduce(values)
    return values
