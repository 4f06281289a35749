"""Whether both sides compute the same, which is asked before anything is timed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torchvision.ops import box_iou

from glip.errors import GLIPError

from .subjects import Batch, Subjects

# Largest difference of token logits, whose standard deviation is about 1. Noise of 1e-6
# in the features moves mmdet's own by 4e-5 without and by 2e-4 with fusion.
LOGITS = 2e-3
# Share of mmdet's detections that must be found among ours: rounding may turn a
# decision of the NMS, and with it those that follow.
MATCHED = 0.98
# Relative difference of losses and of the length of all gradients together.
LOSSES = 1e-3
GRADIENTS = 1e-2


class Disagreement(GLIPError):
    """Both sides compute different things, so their times cannot be compared."""


@dataclass(frozen=True)
class Agreement:
    """How far two sides were compared.

    Attributes:
        logits: Largest absolute difference of token logits.
        matched: Detections of the peer that ours has too.
        total: Detections of the peer.
    """

    logits: float
    matched: int
    total: int

    def __str__(self) -> str:
        return f'logits {self.logits:.0e}, {self.matched}/{self.total} boxes'


@torch.no_grad()
def detections_agree(subjects: Subjects, batch: Batch) -> Agreement:
    """Compare tokens, raw logits and detections of both models.

    Args:
        subjects: Both, :meth:`calibrated <Subjects.calibrate>` for the batch.
        batch: Pictures with one prompt that fits its budget.

    Raises:
        Disagreement: They differ by more than rounding.
    """
    ours, peer = subjects.ours, subjects.peer
    inputs, samples = batch.fresh()
    (prompt,) = {ours.prompts_of(sample)[0].input_ids for sample in samples}
    with _captured(peer.bbox_head) as raw, _captured(peer.language_model) as words:
        theirs = peer(inputs, samples, mode='predict')
    caption = words[0][0][0][0]
    tokens = tuple(peer.language_model.tokenizer(caption).input_ids)
    if tokens != prompt:
        raise Disagreement(f'mmdet reads {len(tokens)} tokens, ours {len(prompt)}')
    logits = ours(*batch.fresh(), mode='tensor')[0]
    worst = max(
        float((one - other[..., : one.shape[2]]).abs().max())
        for one, other in zip(logits, raw[0][1][0], strict=True)
    )
    mine = ours(*batch.fresh(), mode='predict')
    total = sum(len(sample.pred_instances) for sample in theirs)
    matched = sum(
        matches(one.pred_instances, other.pred_instances)
        for one, other in zip(mine, theirs, strict=True)
    )
    agreement = Agreement(worst, matched, total)
    if not worst <= LOGITS or not total or matched < MATCHED * total:
        raise Disagreement(
            f'{agreement}: at most {LOGITS:.0e} and at least {MATCHED:.0%} are needed'
        )
    return agreement


def matches(ours, theirs, *, overlap: float = 0.95, score: float = 2e-3) -> int:
    """How many of their detections ours has: label, box and score, each used once."""
    if not len(ours) or not len(theirs):
        return 0
    alike = box_iou(theirs.bboxes, ours.bboxes) >= overlap
    alike &= theirs.labels[:, None] == ours.labels
    alike &= (theirs.scores[:, None] - ours.scores).abs() <= score
    free = torch.ones(len(ours), dtype=torch.bool)
    count = 0
    for row in alike.cpu():
        candidates = (row & free).nonzero()
        if len(candidates):
            free[candidates[0]] = False
            count += 1
    return count


def losses_agree(subjects: Subjects, draw: Callable[[], dict]) -> str:
    """Compare losses and gradients, without what is drawn by chance in training.

    Args:
        subjects: Both models, which are left in training mode.
        draw: Gives a batch of raw pictures with boxes, a new one each time.

    Returns:
        What was seen, in a few words.

    Raises:
        Disagreement: They differ by more than rounding.
    """
    terms, lengths = zip(
        *(losses_of(model, draw()) for model in (subjects.ours, subjects.peer))
    )
    loss, gradient = relative(terms, lengths)
    seen = f'losses {loss:.0e}, gradients {gradient:.0e}'
    if not loss <= LOSSES or not gradient <= GRADIENTS:
        raise Disagreement(
            f'{seen} relative: at most {LOSSES:.0e} and {GRADIENTS:.0e} are allowed'
        )
    return seen


def losses_of(model: nn.Module, batch: dict) -> tuple[torch.Tensor, float]:
    """Losses, by their sorted names, of a step without dropout and stochastic depth.

    Args:
        model: Left in training mode, without gradients.
        batch: Raw pictures with boxes.

    Returns:
        The losses, and the length of all gradients together.
    """
    model.eval()
    data = model.data_preprocessor(batch, True)
    terms = model(**data, mode='loss')
    sum(terms.values()).backward()
    losses = torch.stack([terms[key].detach() for key in sorted(terms)])
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    length = float(nn.utils.get_total_norm(gradients))
    model.zero_grad()
    model.train()
    return losses, length


def relative(
    losses: Sequence[torch.Tensor], lengths: Sequence[float]
) -> tuple[float, float]:
    """Differences of two models' losses and gradients, relative to the second's."""
    loss = float(((losses[0] - losses[1]).abs() / losses[1].abs()).max())
    return loss, abs(lengths[0] - lengths[1]) / lengths[1]


@contextmanager
def _captured(module: nn.Module) -> Iterator[list[tuple[tuple, object]]]:
    """Arguments and results of a module's calls."""
    calls: list[tuple[tuple, object]] = []
    hook = module.register_forward_hook(lambda _, args, out: calls.append((args, out)))
    with hook:
        yield calls
