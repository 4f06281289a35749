"""From raw predictions to boxes, by the rules of the original.

Per prompt and level: class scores from token probabilities, threshold on the score
alone, top-k on score x centerness; then, over all levels and prompts of a picture,
per-class NMS and one final limit (the original's ``modeling/rpn/inference.py``).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.errors import ConfigError
from glip.ops import batched_nms_inclusive
from glip.text import EncodedPrompt

AGGREGATIONS = ('MEAN', 'MAX', 'POWER', 'ONEHOT')
# Candidates that NMS begins with, and by how much it takes more if they do not do.
_NMS_FIRST, _NMS_GROWTH = 1000, 4


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
        num_tokens: T, tokens that the model sees.
        device: Where the logits are.
        aggregation: MEAN of an entity's tokens (the default of every published
            number), MAX, POWER (geometric mean), or ONEHOT (token e is entity e).

    Attributes:
        num_tokens: T.
        tokens: Places of the U tokens that matter, in order; only they need logits.
        labels: Class of each of the E entities.

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
        self.num_tokens = num_tokens
        self.labels = torch.tensor(prompt.prompt.labels).to(device)
        entities: Sequence[tuple[int, ...]] = prompt.entity_tokens
        if aggregation == 'ONEHOT':
            entities = [(e,) for e in range(min(len(entities), num_tokens))]
        used = sorted({token for tokens in entities for token in tokens}) or [0]
        column_of = {token: i for i, token in enumerate(used)}
        weights = torch.zeros(len(used), len(entities))
        # Row e lists the tokens of entity e, the first one repeated to equal length.
        longest = max(1, *map(len, entities))
        index = torch.zeros(len(entities), longest, dtype=torch.long)
        for e, tokens in enumerate(entities):
            if tokens:
                columns = [column_of[token] for token in tokens]
                weights[columns, e] = 1 / len(tokens)
                index[e] = columns[0]
                index[e, : len(tokens)] = torch.tensor(columns)
        self.tokens = torch.tensor(used, dtype=torch.long).to(device)
        self.weights = weights.to(device)
        self.index = index.to(device)
        # A phrase that the tokenizer drops altogether is never found.
        self.present = torch.tensor([float(bool(t)) for t in entities]).to(device)

    def __call__(self, logits: Tensor) -> Tensor:
        """Logits (N, U) of the tokens that matter to entity scores (N, E) in 0..1."""
        if self.aggregation == 'ONEHOT':
            return logits.sigmoid()
        if self.aggregation == 'MAX':
            return logits[:, self.index].amax(-1).sigmoid() * self.present
        if self.aggregation == 'POWER':
            log_prob = F.logsigmoid(logits)
            return (log_prob @ self.weights.to(logits)).exp() * self.present
        return logits.sigmoid() @ self.weights.to(logits)


class Candidates(NamedTuple):
    """Pairs of a position and an entity, M of them.

    Attributes:
        places: Positions, counted over all levels.
        scores: Entity score x centerness; -1 is none.
        labels: Classes of the entities.
    """

    places: Tensor
    scores: Tensor
    labels: Tensor


def select_candidates(
    logits: Tensor,
    centerness: Tensor,
    scores_of: EntityScores,
    sizes: Sequence[int],
    *,
    score_thr: float,
    nms_pre: int,
) -> Candidates:
    """Candidates of one picture and one prompt, as many per level whatever they score.

    Args:
        logits: Of the tokens that matter, (N, U), all levels one after the other.
        centerness: Probabilities (N,).
        scores_of: From logits to entity scores.
        sizes: Positions of each level.
        score_thr: Least entity score, before centerness.
        nms_pre: Most candidates per level, after centerness; <= 0 keeps all.
    """
    scores = scores_of(logits.float())
    entities = scores.shape[1]
    joint = scores * centerness[:, None]
    joint = joint.where(scores > score_thr, joint.new_tensor(-1.0))
    candidates, start = [], 0
    for level in joint.split(sizes):
        level = level.flatten()
        if 0 < nms_pre < level.numel():
            best, index = level.topk(nms_pre)
        else:
            best, index = level, torch.arange(level.numel(), device=level.device)
        places = index // entities + start
        candidates.append((places, best, scores_of.labels[index % entities]))
        start += level.numel() // entities
    return Candidates(*map(torch.cat, zip(*candidates, strict=True)))


def merge_candidates(
    scores: Tensor,
    labels: Tensor,
    boxes_of: Callable[[Tensor], Tensor],
    *,
    iou_threshold: float,
    max_per_img: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Per-class NMS and the limit per picture.

    A box yields to better ones only. So NMS begins with the best candidates, and takes
    more of them only if too few are left for the limit.

    Args:
        scores: Of all candidates of a picture, (M,).
        labels: Their classes, (M,).
        boxes_of: From places among the candidates to boxes (K, 4).
        iou_threshold: Overlap from which on the worse of two boxes goes.
        max_per_img: The limit; <= 0 keeps all.

    Returns:
        Boxes, scores and labels by descending score.
    """
    count = _NMS_FIRST if max_per_img > 0 else len(scores)
    while True:
        count = min(count, len(scores))
        best, index = scores.topk(count)
        boxes, classes = boxes_of(index), labels[index]
        keep = batched_nms_inclusive(boxes, best, classes, iou_threshold)
        if count == len(scores) or len(keep) >= max_per_img:
            break
        count *= _NMS_GROWTH
    if max_per_img > 0:
        keep = keep[:max_per_img]
    return boxes[keep], best[keep], classes[keep]
