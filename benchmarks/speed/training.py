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
    case, half = job.what, job.precision == 'bf16'
    name = _ours(job)
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

        run(_SMALL)  # the state of the optimizer is made in its first step
        sides.append(Side(label, run, scope == 'mmdet', warm_up=run))
    return sides


def _activations(job: Job, subjects: Subjects) -> list[Side]:
    """The most that a step holds above weights and gradients, in MB."""
    case, half = job.what, job.precision == 'bf16'

    def run(model: nn.Module, half: bool) -> float:
        model.train()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        batch = training_batch(case.size, batch=case.batch)

        def step() -> None:
            with torch.autocast(job.device, torch.bfloat16, enabled=half):
                data = model.data_preprocessor(copy.deepcopy(batch), True)
                losses = model(**data, mode='loss')
            sum(losses.values()).backward()

        found = peak(step, job.device) / _MB
        model.zero_grad()
        return found

    name = _ours(job)
    sides = [
        Side('mmdet', lambda: run(subjects.peer, False), True),
        Side(name, lambda: run(subjects.ours, half), False),
        Side(f'{name}, checkpoint', lambda: run(subjects.checkpointed(), half), False),
    ]
    if half:
        sides.insert(1, Side('mmdet, bf16', lambda: run(subjects.peer, True), True))
    return sides


def _ours(job: Job) -> str:
    return 'ours, bf16' if job.precision == 'bf16' else 'ours'
