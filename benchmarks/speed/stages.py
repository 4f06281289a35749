"""Where the time of one picture goes, and how much of it the machine could have done.

The parts of a model are wrapped by name, on the instance, and put back afterwards.
Time and operations of a part that is called inside another count for the inner one.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from glip.report.complexity import flop_counter
from glip.runtime.measuring import clock

from .agreement import detections_agree
from .contestants import Contestant, contestants
from .environment import gemm_rate
from .job import Job
from .subjects import COCO, Batch, Subjects, prepare

STAGES = (
    'backbone',
    'neck',
    'language',
    'fusion',
    'BERT layers',
    'DyConv',
    'predictions',
    'post',
)
_BLOCKS = {
    'VLFuse': 'fusion',
    'BertLayer': 'BERT layers',
    'BertEncoderLayer': 'BERT layers',
    'DyConv': 'DyConv',
    'FrozenDyConv': 'DyConv',
}
# Methods by which the predictions are computed: mmdet's head as a whole, ours in parts.
_PREDICTIONS = ('forward', 'keys_of', 'row_boxes')


class _Meter:
    """Shares what a counter says from now on out among nested stages."""

    def __init__(self, read: Callable[[], float]) -> None:
        self._read = read
        self._inside = ['post']
        self._totals = dict.fromkeys(STAGES, 0.0)
        self._last = read()

    def enter(self, stage: str) -> None:
        self._book()
        self._inside.append(stage)

    def leave(self) -> None:
        self._book()
        self._inside.pop()

    def _book(self) -> None:
        now = self._read()
        self._totals[self._inside[-1]] += now - self._last
        self._last = now

    def finish(self) -> dict[str, float]:
        self._book()
        return self._totals


def _methods(model: nn.Module) -> Iterator[tuple[nn.Module, str, str]]:
    """Module, method and stage of everything that is metered."""
    yield model.backbone, 'forward', 'backbone'
    yield model.neck, 'forward', 'neck'
    yield model.language_model, 'forward', 'language'
    head = model.bbox_head.head
    for block in head.dyhead_tower:
        yield block, 'forward', _BLOCKS[type(block).__name__]
    for name in _PREDICTIONS:
        if hasattr(head, name):
            yield head, name, 'predictions'


def _by_stage(
    one: Contestant, batch: Batch, read: Callable[[], float]
) -> dict[str, float]:
    """What a call adds to a counter, by stage."""
    meter = _Meter(read)

    def wrapped(call: Callable, stage: str) -> Callable:
        def run(*args: Any, **options: Any) -> Any:
            meter.enter(stage)
            try:
                return call(*args, **options)
            finally:
                meter.leave()

        return run

    with ExitStack() as stack:
        for module, name, stage in _methods(one.model):
            call = wrapped(getattr(module, name), stage)
            stack.enter_context(patch.object(module, name, call))
        one.detect(batch)
        return meter.finish()


def profile(job: Job, subjects: Subjects) -> dict:
    """Stages of every contestant, as fields of a record.

    Seconds are those of the fastest run; a GPU is waited for between stages. GFLOP are
    those of matrix products, convolutions and attention.

    Raises:
        Disagreement: They do not compute the same.
    """
    case = job.what
    batch = prepare(subjects.ours, case.size, COCO, batch=case.batch)
    subjects.calibrate(batch)
    check = str(detections_agree(subjects, batch))
    sides = []
    for one in contestants(job, subjects):
        runs = range(job.runs or case.runs)
        times = [_by_stage(one, batch, lambda: clock(job.device)) for _ in runs]
        least = min(times, key=lambda stages: sum(stages.values()))
        rate = gemm_rate(job.device, torch.bfloat16 if one.bf16 else torch.float32)
        with flop_counter() as counter:
            flops = _by_stage(one, batch, lambda: counter.get_total_flops() / 1e9)
        sides.append(
            dict(label=one.label, gemm=rate, seconds=least, gflop=flops, peer=one.peer)
        )
    return dict(check=check, profile=sides)
