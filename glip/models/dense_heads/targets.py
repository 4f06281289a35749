"""What each anchor should predict: boxes, centerness and tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from torch import Tensor

from glip.text import EncodedPrompt


def positive_map(
    prompt: EncodedPrompt, labels: Tensor, num_tokens: int
) -> tuple[Tensor, Tensor]:
    """Tokens that stand for each ground-truth box.

    Args:
        prompt: Encoded prompt of the picture.
        labels: Indices into the prompt's names, shape (G,).
        num_tokens: T.

    Returns:
        Binary map (G, T), and whether each box has any token, shape (G,); a box has
        none when its name lies past the token budget.
    """
    names = prompt.prompt.names
    # A repeated name stands in the caption once, under its first index.
    first = {name: i for i, name in reversed(tuple(enumerate(names)))}
    table = torch.zeros(len(names), num_tokens, dtype=torch.bool)
    for entity, tokens in enumerate(prompt.entity_tokens):
        table[prompt.prompt.labels[entity], list(tokens)] = True
    table = table[[first[name] for name in names]].to(labels.device)
    tokens = table[labels.long()]
    return tokens, tokens.any(1)


def centerness_target(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Centerness (arXiv 1904.01355, eq. 3) of anchor centers in boxes, (P,)."""
    center = (anchors[:, :2] + anchors[:, 2:]) / 2
    near, far = center - boxes[:, :2], boxes[:, 2:] - center
    low, high = torch.minimum(near, far), torch.maximum(near, far)
    return (low / high).prod(1).clamp(min=0).sqrt()


@dataclass
class Targets:
    """Targets of a batch; P positives over all pictures.

    Attributes:
        positive: Indices into the flattened (B * N) anchors, (P,).
        anchors: Inclusive anchors of the positives, (P, 4).
        boxes: Inclusive ground-truth boxes, (P, 4).
        tokens: Binary token targets, (P, T).
    """

    positive: Tensor
    anchors: Tensor
    boxes: Tensor
    tokens: Tensor


def assign_targets(
    assigner,
    anchors: Tensor,
    level_sizes: Sequence[int],
    ground_truth: Sequence[tuple[Tensor, Tensor]],
) -> Targets:
    """ATSS assignment (arXiv 1912.02424) of every picture of a batch.

    Args:
        assigner: ``mmdet.ATSSAssigner`` or one with its interface.
        anchors: Inclusive anchors of all levels, (N, 4).
        level_sizes: Anchors per level.
        ground_truth: Per picture boxes (G, 4), inclusive, and token maps (G, T).
    """
    positives, boxes, tokens = [], [], []
    for i, (gt_boxes, gt_tokens) in enumerate(ground_truth):
        result = assigner.assign(
            InstanceData(priors=anchors),
            list(level_sizes),
            InstanceData(
                bboxes=gt_boxes, labels=torch.zeros_like(gt_boxes[:, 0]).long()
            ),
        )
        index = (result.gt_inds > 0).nonzero()[:, 0]
        owner = result.gt_inds[index] - 1
        positives.append(index + i * len(anchors))
        boxes.append(gt_boxes[owner])
        tokens.append(gt_tokens[owner])
    positive = torch.cat(positives)
    return Targets(
        positive, anchors[positive % len(anchors)], torch.cat(boxes), torch.cat(tokens)
    )
