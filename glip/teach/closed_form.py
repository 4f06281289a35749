"""A grounding head from the class layer of a closed detector, without training.

A detector with a fixed list of classes ends in a layer that is linear in its features:
one vector per class. GLIP's head is linear in the features as well; its vectors are
made of words. So if tokens can be mapped to the vectors of the classes that they mean,
the detector becomes a GLIP. That map is a least-squares problem with a closed solution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.errors import ConfigError
from glip.models import GLIP
from glip.models.necks.class_space import DELTA_SCALE
from glip.teach.words import PromptSampler, Word, encoded

# Logit of a word that means no class, whatever the picture shows.
SILENT_LOGIT = -7.0
_CERTAIN_LOGIT = 6.0


@dataclass(frozen=True)
class ClassSpace:
    """C classes as vectors that mean the same on all of L levels.

    Attributes:
        project: From features (D channels) to the class space, (L, C, D).
        shift: Added to it, (L, C).
        vectors: Vector of each class, (C, C).
        bias: Bias of each class, (C,).
    """

    project: Tensor
    shift: Tensor
    vectors: Tensor
    bias: Tensor


def class_space(
    weight: Tensor, bias: Tensor, *, scale: float = 1.0, offset: float = 0.0
) -> ClassSpace:
    """Factor the class layers of all levels.

    The layers side by side, (C, L * D), are ``U S V'``; classes are the rows of
    ``U sqrt(S)`` and the projections the columns of ``sqrt(S) V'``, so products of both
    are the detector's own logits.

    Args:
        weight: Class layers, (L, C, D).
        bias: Their biases, (L, C).
        scale: Factor on all logits.
        offset: Added to all logits; with ``scale`` it sets the score at which boxes are
            best kept.
    """
    levels, _, dim = weight.shape
    side_by_side = scale * weight.transpose(0, 1).flatten(1)
    u, s, v = torch.linalg.svd(side_by_side.double(), full_matrices=False)
    vectors = u * s.sqrt()
    project = (s.sqrt()[:, None] * v).unflatten(1, (levels, dim)).transpose(0, 1)
    logit_bias = scale * bias.double() + offset
    mean = logit_bias.mean(0)
    shift = torch.linalg.lstsq(vectors, (logit_bias - mean).t()).solution.t()
    parts = (project, shift, vectors, mean)
    return ClassSpace(*(part.to(weight.dtype) for part in parts))


def class_targets(words: Sequence[Word], space: ClassSpace) -> Tensor:
    """What tokens should be mapped to: a vector and a bias, (N, C + 1).

    Words of several classes get their mean, words of none silence.
    """
    table = torch.cat((space.vectors, space.bias[:, None]), 1)
    silence = F.pad(torch.zeros(len(space.bias)), (0, 1), value=SILENT_LOGIT)
    return torch.stack(
        [table[list(w.classes)].mean(0) if w.classes else silence for w in words]
    )


@torch.no_grad()
def fit_words(
    model: GLIP,
    space: ClassSpace,
    sampler: PromptSampler,
    *,
    num_draws: int = 500,
    name_weight: float = 10.0,
    ridge: float = 1e-3,
) -> None:
    """Map tokens to class vectors by ridge regression, and write that into the head.

    Args:
        model: GLIP with a :class:`ClassSpaceNeck`; its head is changed.
        space: Of the detector.
        sampler: Draws prompts.
        num_draws: How often prompts are drawn.
        name_weight: Weight of the classes' own names against 1 of other words.
        ridge: Share of the mean square of the tokens that is added to the diagonal.
    """
    language, head = model.language_model, model.bbox_head.head
    dim = language.language_dim + 1
    size = len(space.bias) + 1
    gram = torch.zeros(dim, dim, dtype=torch.double)
    moment = torch.zeros(dim, size, dtype=torch.double)
    for _ in range(num_draws):
        prompts, meanings = encoded(
            sampler.draw(), language.tokenizer, language.max_tokens
        )
        rows, tokens, words = zip(*meanings, strict=True)
        features = F.normalize(language(prompts).hidden[rows, tokens], dim=-1)
        features = F.pad(features, (0, 1), value=1.0).double()
        weights = torch.tensor([name_weight if w.is_name else 1.0 for w in words])
        weighted = features * weights[:, None]
        gram += weighted.t() @ features
        moment += weighted.t() @ class_targets(words, space).double()
    gram += ridge * gram.diagonal()[:-1].mean() * torch.eye(dim)
    solution = torch.linalg.solve(gram, moment).float()
    projection = head.dot_product_projection_text
    projection.weight.zero_()
    projection.bias.zero_()
    # The head halves tokens before it projects them.
    projection.weight[: size - 1] = 2 * solution[:-1, :-1].t()
    projection.bias[: size - 1] = solution[-1, :-1]
    head.log_scale.zero_()
    head.bias_lang.copy_(solution[:-1, -1])
    head.bias0.copy_(solution[-1:, -1])


@torch.no_grad()
def put_into(model: GLIP, space: ClassSpace, weight: Tensor, bias: Tensor) -> None:
    """Write the detector's last layers into the neck and the box layers of the head.

    Args:
        model: GLIP with a :class:`ClassSpaceNeck`; changed.
        space: Of the detector's class layers.
        weight: The distance layers, (L, 4 * num_bins, D).
        bias: Their biases, (L, 4 * num_bins).

    Raises:
        ConfigError: The model is not built for such a detector.
    """
    neck, head = model.neck, model.bbox_head.head
    classes = neck.space_dims
    for level, conv in enumerate(neck.project):
        stacked = torch.cat((space.project[level], weight[level]))[:, :, None, None]
        if stacked.shape != conv.weight.shape:
            raise ConfigError(
                f'the detector has {len(space.bias)} classes and {weight.shape[1]} '
                f'distance channels, the neck of the config {classes} and '
                f'{4 * neck.num_bins}'
            )
        conv.weight.copy_(stacked)
        conv.bias.copy_(torch.cat((space.shift[level], bias[level])))
    head.bbox_pred.weight.zero_()
    head.bbox_pred.bias.zero_()
    deltas = range(classes, classes + 4)
    head.bbox_pred.weight[range(4), deltas] = 1 / DELTA_SCALE
    # The scores know of the quality of a box already.
    head.centerness.weight.zero_()
    head.centerness.bias.fill_(_CERTAIN_LOGIT)
