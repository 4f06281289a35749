"""Words learn from the classes of a detector, on pictures without labels."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor

from glip.models import GLIP
from glip.teach.closed_form import SILENT_LOGIT, ClassSpace
from glip.teach.words import PromptSampler, Word, encoded


@torch.no_grad()
def collect_positions(
    model: GLIP,
    pictures: Iterable[Tensor],
    space: ClassSpace,
    *,
    most: int = 120,
    background: int = 40,
    threshold: float = 0.02,
) -> Tensor:
    """Positions of pictures in the class space, mostly those that show something.

    Args:
        model: With the class space in its neck.
        pictures: Normalised, (1, 3, H, W) each.
        space: Of the detector.
        most: Most positions per picture at which a class scores above ``threshold``.
        background: Positions drawn from the others.
        threshold: Probability.

    Returns:
        Coordinates, (N, C).
    """
    classes = len(space.bias)
    positions = [space.vectors.new_empty(0, classes).half()]
    for picture in pictures:
        levels = model.extract_feat(picture)
        rows = torch.cat([level[0, :classes].flatten(1).t() for level in levels])
        best = (rows @ space.vectors.t() + space.bias).amax(1).sigmoid()
        order = best.argsort(descending=True)
        shown = order[: min(most, int((best > threshold).sum()))]
        rest = order[len(shown) :]
        rest = rest[torch.randperm(len(rest))[:background]]
        positions.append(rows[torch.cat((shown, rest))].half())
    return torch.cat(positions)


def _target_logits(logits: Tensor, words: list[Word]) -> Tensor:
    """Logits of classes (C, M) to those of words (N, M)."""
    silence = torch.full_like(logits[0], SILENT_LOGIT)
    rows = {}
    for word in words:
        if word not in rows:
            members = list(word.classes)
            rows[word] = logits[members].amax(0) if members else silence
    return torch.stack([rows[word] for word in words])


def _shown_best(positions: Tensor, space: ClassSpace, most: int = 64) -> Tensor:
    """Indices of the positions that score best for each class."""
    logits = positions.float() @ space.vectors.t() + space.bias
    return logits.topk(min(most, len(positions)), 0).indices.flatten()


def _vector_loss(
    keys: Tensor, bias: Tensor, words: Sequence[Word], space: ClassSpace
) -> Tensor:
    """Relative squared distance to the vectors of words that mean one class."""
    rows = [row for row, word in enumerate(words) if len(word.classes) == 1]
    if not rows:
        return keys.new_zeros(())
    classes = [words[row].classes[0] for row in rows]
    vectors = space.vectors[classes]
    gap = (keys[rows] - vectors).square().sum(1) / vectors.square().sum(1)
    weight = torch.tensor([4.0 if words[row].is_name else 1.0 for row in rows])
    gap = gap + 0.05 * (bias[rows] - space.bias[classes]).square()
    return (weight * gap).sum() / weight.sum()


def distill_text(
    model: GLIP,
    space: ClassSpace,
    positions: Tensor,
    sampler: PromptSampler,
    *,
    steps: int,
    num_positions: int = 1024,
    lr: float = 2e-4,
    seed: int = 0,
) -> None:
    """Train language model and projection towards the detector's own scores.

    Each token of a word is to score as the detector scores the class that it means (the
    best of several classes), and to be silent where it means none. The loss is the
    binary cross-entropy with the detector's probabilities, in which likely positions
    count up to 9 times, and a small squared error of the logits. Half of the positions
    are those that show a class best, for each class as many, so that rare ones count as
    well. Words of one class are drawn to its vector besides. Word embeddings stay as
    they are.

    Args:
        model: Starts from :func:`~glip.teach.closed_form.fit_words`; changed.
        space: Of the detector.
        positions: In the class space, (N, C).
        sampler: Draws prompts.
        steps: Optimiser steps.
        num_positions: Positions per step.
        lr: Highest learning rate of the language model; the head's is five times that.
        seed: Of the draws of positions.
    """
    language, head = model.language_model, model.bbox_head.head
    encoder = language.language_backbone.body.model.encoder
    layers = list(encoder.parameters())
    mapping = [
        *head.dot_product_projection_text.parameters(),
        head.bias_lang,
        head.bias0,
    ]
    optimizer = torch.optim.AdamW(
        [dict(params=layers, lr=lr), dict(params=mapping, lr=5 * lr)], weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [lr, 5 * lr], total_steps=steps, pct_start=0.1
    )
    generator = torch.Generator().manual_seed(seed)
    classes = len(space.bias)
    shown = _shown_best(positions, space)
    was_training = model.training
    model.train()
    language.eval()  # no dropout: the teacher is exact
    begin = time.time()
    for step in range(steps):
        prompts, meanings = encoded(
            sampler.draw(), language.tokenizer, language.max_tokens
        )
        rows, tokens, words = zip(*meanings, strict=True)
        half = num_positions // 2
        index = torch.cat(
            (
                torch.randint(len(positions), (half,), generator=generator),
                shown[torch.randint(len(shown), (half,), generator=generator)],
            )
        )
        queries = positions[index].float()
        teacher = (queries @ space.vectors.t() + space.bias).t()
        target = _target_logits(teacher, list(words))
        keys, bias = head.keys_of(language(prompts).hidden[rows, tokens])
        logits = keys[:, :classes] @ queries.t() + bias[:, None]
        probability = target.sigmoid()
        loss = F.binary_cross_entropy_with_logits(
            logits, probability, weight=1 + 8 * probability, reduction='none'
        )
        loss = loss + 0.01 * (logits - target.clamp(min=SILENT_LOGIT)).square()
        loss = loss.mean() * 100
        loss = loss + _vector_loss(keys[:, :classes], bias, words, space)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*layers, *mapping], 5.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == steps - 1:
            passed = time.time() - begin
            print_log(
                f'text distillation {step + 1}/{steps}  loss {loss.item():.4f}  '
                f'{passed:.0f} s, eta {passed / (step + 1) * (steps - step - 1):.0f} s',
                'current',
            )
    model.train(was_training)
