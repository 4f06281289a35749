"""From raw predictions to boxes, in the order of operations of the original.

Per level: class scores from token probabilities, threshold on the score alone, top-k
on score x centerness; then, over all levels and prompts of a picture, per-class NMS
and one final limit (the original's ``modeling/rpn/inference.py``).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.errors import ConfigError
from glip.ops import batched_nms_inclusive, clip_inclusive
from glip.text import EncodedPrompt

AGGREGATIONS = ('MEAN', 'MAX', 'POWER', 'ONEHOT')


def check_aggregation(name: str) -> None:
    """Refuse an unknown way from token probabilities to entity scores.

    Raises:
        ConfigError: It is none of :data:`AGGREGATIONS`.
    """
    if name not in AGGREGATIONS:
        raise ConfigError(
            f"score_agg '{name}' is unknown; use one of {', '.join(AGGREGATIONS)}"
        )


class EntityScores:
    """Turn token probabilities into entity scores.

    Args:
        prompt: The entities and their tokens.
        num_tokens: T, width of the logits.
        device: Where the logits are.
        aggregation: MEAN of an entity's tokens (the default of every published
            number), MAX, POWER (geometric mean), or ONEHOT (token e is entity e).

    Raises:
        ConfigError: If the aggregation is unknown.
    """

    def __init__(
        self,
        prompt: EncodedPrompt,
        num_tokens: int,
        device: torch.device,
        aggregation: str = 'MEAN',
    ) -> None:
        check_aggregation(aggregation)
        self.aggregation = aggregation
        self.labels = torch.tensor(prompt.prompt.labels).to(device)
        entities = prompt.entity_tokens
        weights = torch.zeros(num_tokens, len(entities))
        # Row e lists the tokens of entity e, the first one repeated to equal length.
        index = torch.zeros(len(entities), max(map(len, entities)), dtype=torch.long)
        for e, tokens in enumerate(entities):
            if tokens:
                weights[list(tokens), e] = 1 / len(tokens)
                index[e] = tokens[0]
                index[e, : len(tokens)] = torch.tensor(tokens)
        self.weights = weights.to(device)
        self.index = index.to(device)
        # A phrase that the tokenizer drops altogether is never found.
        self.present = torch.tensor([float(bool(t)) for t in entities]).to(device)

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits (N, T) to entity scores (N, E) in 0..1."""
        if self.aggregation == 'ONEHOT':
            return logits[:, : self.weights.shape[1]].sigmoid()
        if self.aggregation == 'MAX':
            return logits[:, self.index].amax(-1).sigmoid() * self.present
        if self.aggregation == 'POWER':
            log_prob = F.logsigmoid(logits)
            return (log_prob @ self.weights.to(logits)).exp() * self.present
        return logits.sigmoid() @ self.weights.to(logits)


def select_candidates(
    logits: Sequence[Tensor],
    boxes: Sequence[Tensor],
    centerness: Sequence[Tensor],
    scores_of: EntityScores,
    *,
    score_thr: float,
    nms_pre: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates of one picture and one prompt, all levels concatenated.

    Args:
        logits: Token logits (H*W, T) per level.
        boxes: Decoded and clipped boxes (H*W, 4) per level.
        centerness: Centerness logits (H*W,) per level.
        scores_of: Token probabilities to entity scores.
        score_thr: Least entity score, before centerness.
        nms_pre: Most candidates per level, after centerness; <= 0 keeps all.

    Returns:
        Boxes (M, 4), scores (M,) and class labels (M,).
    """
    kept_boxes, kept_scores, kept_labels = [], [], []
    for level_logits, level_boxes, level_centerness in zip(
        logits, boxes, centerness, strict=True
    ):
        scores = scores_of(level_logits.float())
        entities = scores.shape[1]
        joint = scores * level_centerness.float().sigmoid()[:, None]
        joint = joint.where(scores > score_thr, joint.new_tensor(-1.0)).flatten()
        if 0 < nms_pre < joint.numel():
            joint, index = joint.topk(nms_pre)
        else:
            index = torch.arange(joint.numel(), device=joint.device)
        kept_boxes.append(level_boxes[index // entities])
        kept_scores.append(joint)
        kept_labels.append(scores_of.labels[index % entities])
    scores = torch.cat(kept_scores)
    above = (scores >= 0).nonzero()[:, 0]
    return (
        torch.cat(kept_boxes)[above],
        scores[above].sqrt(),
        torch.cat(kept_labels)[above],
    )


def merge_candidates(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor,
    *,
    iou_threshold: float,
    max_per_img: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Per-class NMS and the limit per picture; results in descending score."""
    keep = batched_nms_inclusive(boxes, scores, labels, iou_threshold)
    if max_per_img > 0:
        keep = keep[:max_per_img]
    return boxes[keep], scores[keep], labels[keep]


def clip_boxes(boxes: Tensor, img_shape: Sequence[int]) -> Tensor:
    """Clip inclusive boxes to a picture of (height, width, ...)."""
    return clip_inclusive(boxes, img_shape[0], img_shape[1])
