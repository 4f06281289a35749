"""Where the time of one picture goes, and how much of it the machine could have done.

The parts of a model are wrapped by name, on the instance, and put back afterwards.
Time and operations of a part that is called inside another count for the inner one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
    """Shares what a counter says out among nested stages."""

    def __init__(self, read: Callable[[], float]) -> None:
        self.totals: dict[str, float] = defaultdict(float)
        self._read = read
        self._inside = ['post']
        self._last = 0.0

    def start(self) -> None:
        self._last = self._read()

    def enter(self, stage: str) -> None:
        self._book()
        self._inside.append(stage)

    def leave(self) -> None:
        self._book()
        self._inside.pop()

    def _book(self) -> None:
        now = self._read()
        self.totals[self._inside[-1]] += now - self._last
        self._last = now

    def finish(self) -> dict[str, float]:
        self._book()
        return {stage: self.totals.get(stage, 0.0) for stage in STAGES}


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


@contextmanager
def _metered(model: nn.Module, meter: _Meter) -> Iterator[None]:
    def wrapped(call: Callable, stage: str) -> Callable:
        def run(*args: Any, **options: Any) -> Any:
            meter.enter(stage)
            try:
                return call(*args, **options)
            finally:
                meter.leave()

        return run

    with ExitStack() as stack:
        for module, name, stage in _methods(model):
            call = wrapped(getattr(module, name), stage)
            stack.enter_context(patch.object(module, name, call))
        yield


def stage_times(
    one: Contestant, batch: Batch, runs: int, device: str
) -> dict[str, float]:
    """Seconds of each stage, of the fastest of several runs.

    Args:
        one: Who is called.
        batch: Pictures with their prompt.
        runs: How often.
        device: A GPU is waited for at the borders of stages.
    """
    times = []
    for _ in range(runs):
        meter = _Meter(lambda: clock(device))
        with _metered(one.model, meter):
            meter.start()
            one.detect(batch)
            times.append(meter.finish())
    return min(times, key=lambda stages: sum(stages.values()))


def stage_flops(one: Contestant, batch: Batch) -> dict[str, float]:
    """GFLOP of each stage: matrix products, convolutions and attention."""
    counter = flop_counter()
    meter = _Meter(lambda: counter.get_total_flops() / 1e9)
    with _metered(one.model, meter), counter:
        meter.start()
        one.detect(batch)
        return meter.finish()


def profile(job: Job, subjects: Subjects) -> dict:
    """Stages of every contestant, as fields of a record.

    Raises:
        Disagreement: They do not compute the same.
    """
    case = job.what
    batch = prepare(subjects.ours, case.size, COCO, batch=case.batch)
    subjects.calibrate(batch)
    check = str(detections_agree(subjects, batch))
    sides = []
    for one in contestants(job, subjects):
        times = stage_times(one, batch, job.runs or case.runs, job.device)
        dtype = torch.bfloat16 if one.bf16 else torch.float32
        rate = gemm_rate(job.device, dtype)
        flops = stage_flops(one, batch)
        sides.append(
            dict(label=one.label, gemm=rate, seconds=times, gflop=flops, peer=one.peer)
        )
    return dict(check=check, profile=sides)
