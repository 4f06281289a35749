"""Steps of training: their time, and what they keep for the backward pass."""

import copy

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from .agreement import losses_agree
from .job import Job
from .peaks import step_peak
from .subjects import Subjects, training_batch
from .timing import Side, seconds

# Losses and gradients are compared on a picture of this size.
_SMALL = (160, 224)


def training_sides(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """Sides of a case of training and what the comparison of their losses saw.

    Raises:
        Disagreement: They do not compute the same.
    """
    check = losses_agree(subjects, lambda: training_batch(_SMALL))
    sides = _activations if job.what.kind == 'activations' else _steps
    return sides(job, subjects), check


def activations(model: nn.Module, batch: dict, device: str, *, half: bool) -> float:
    """The most MB that a step holds above weights and gradients.

    Args:
        model: In training mode.
        batch: Raw pictures with boxes.
        device: Where the model is.
        half: Run it under autocast to bfloat16.
    """
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            data = model.data_preprocessor(copy.deepcopy(batch), True)
            losses = model(**data, mode='loss')
        sum(losses.values()).backward()

    peak = step_peak(step, device)
    model.zero_grad()
    return peak


def _steps(job: Job, subjects: Subjects) -> list[Side]:
    """Forward, backward and the optimizer of the recipe, as a runner calls them."""
    case, half = job.what, job.precision == 'bf16'
    name = job.ours
    ours = subjects.ours
    if case.kind == 'checkpoint':
        ours, subjects.ours = subjects.checkpointed(), None
        name += ', checkpoint'
    rivals = [
        ('mmdet', subjects.peer, subjects.peer_cfg, 'mmdet', None),
        (name, ours, subjects.ours_cfg, 'glip', 'bf16' if half else None),
    ]
    if half and job.device == 'cuda':  # mmengine's mixed precision needs a GPU
        rivals.insert(1, ('mmdet, bf16', *rivals[0][1:4], 'bfloat16'))
    sides = []
    for label, model, cfg, scope, dtype in rivals:
        fields = copy.deepcopy(cfg.optim_wrapper)
        if dtype:
            fields.update(type='AmpOptimWrapper', dtype=dtype)
        with DefaultScope.overwrite_default_scope(scope):
            wrapper = build_optim_wrapper(model, fields)
        model.train()

        def run(size=case.size, model=model, wrapper=wrapper) -> float:
            batch = training_batch(size, batch=case.batch)
            return seconds(lambda: model.train_step(batch, wrapper), job.device)

        run(_SMALL)  # the state of the optimizer is created in its first step
        sides.append(Side(label, run, scope == 'mmdet', warm_up=run))
    return sides


def _activations(job: Job, subjects: Subjects) -> list[Side]:
    case, half = job.what, job.precision == 'bf16'

    def run(model: nn.Module, half: bool) -> float:
        batch = training_batch(case.size, batch=case.batch)
        return activations(model.train(), batch, job.device, half=half)

    name = job.ours
    sides = [
        Side('mmdet', lambda: run(subjects.peer, False), True),
        Side(name, lambda: run(subjects.ours, half), False),
        Side(f'{name}, checkpoint', lambda: run(subjects.checkpointed(), half), False),
    ]
    if half:
        sides.insert(1, Side('mmdet, bf16', lambda: run(subjects.peer, True), True))
    return sides
