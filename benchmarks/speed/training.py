"""Steps of training: their time, and what they keep for the backward pass."""

import copy

import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import nn

from benchmarks.memory import peak

from .agreement import losses_agree
from .job import Job
from .subjects import Subjects, training_batch
from .timing import Side, seconds

# Losses and gradients are compared on a picture of this size.
_SMALL = (160, 224)
_MB = 2**20


def training_sides(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """Sides of a case of training and what the comparison of their losses saw.

    Raises:
        Disagreement: They do not compute the same.
    """
    check = losses_agree(subjects, lambda: training_batch(_SMALL))
    if job.what.kind == 'activations':
        return _activations(job, subjects), check
    return _steps(job, subjects), check


def _steps(job: Job, subjects: Subjects) -> list[Side]:
    """Forward, backward and the optimizer of the recipe, as a runner calls them."""
    half = job.precision == 'bf16'
    suffix = ', bf16' if half else ''
    ours = subjects.ours
    if job.what.kind == 'checkpoint':
        ours, subjects.ours = subjects.checkpointed(), None
        suffix += ', checkpoint'
    sides = []
    for label, model, cfg, scope in (
        ('mmdet', subjects.peer, subjects.peer_cfg, 'mmdet'),
        (f'ours{suffix}', ours, subjects.ours_cfg, 'glip'),
    ):
        wrapper = copy.deepcopy(cfg.optim_wrapper)
        if half and scope == 'glip':
            wrapper.update(type='AmpOptimWrapper', dtype='bf16')
        with DefaultScope.overwrite_default_scope(scope):
            optimizer = build_optim_wrapper(model, wrapper)
        model.train()

        def run(size=job.what.size, model=model, optimizer=optimizer) -> float:
            batch = training_batch(size)
            return seconds(lambda: model.train_step(batch, optimizer), job.device)

        run(_SMALL)  # the state of the optimizer is made in its first step
        sides.append(Side(label, run, scope == 'mmdet'))
    return sides


def _activations(job: Job, subjects: Subjects) -> list[Side]:
    """The most that a step holds above weights and gradients, in MB."""

    def run(model: nn.Module) -> float:
        model.train()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        batch = training_batch(job.what.size)
        found = peak(lambda: _backward(model, batch)) / _MB
        model.zero_grad()
        return found

    return [
        Side('mmdet', lambda: run(subjects.peer), True),
        Side('ours', lambda: run(subjects.ours), False),
        Side('ours, checkpoint', lambda: run(subjects.checkpointed()), False),
    ]


def _backward(model: nn.Module, batch: dict) -> None:
    data = model.data_preprocessor(batch, True)
    sum(model(**data, mode='loss').values()).backward()
