"""What can be measured, and how far ahead ours is meant to be."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from glip.errors import ConfigError

SIZES = {'480': (480, 640), '800': (800, 1333)}


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        name: ``kind-variant-height``, the kind followed by the pictures at a time.
        kind: Which of :mod:`benchmarks.speed.actions` measures it.
        variant: GLIP-T without fusion ('A') or with it ('B'; C is the same network).
        size: Height and width of the pictures.
        title: What it is, in a table.
        target: How many times faster than mmdet at its defaults, or, of memory, at most
            which share of mmdet's.
        tuned_target: The same against mmdet with our allocator and matmul settings.
        batch: Pictures at a time.
        runs: Measured runs unless said otherwise.
        gpu: Whether it is for GPUs only.
        gpu_targets: As ``target`` for ours in bf16 on a GPU, against mmdet there in
            float32 and under autocast.
    """

    name: str
    kind: str
    variant: str
    size: tuple[int, int]
    title: str
    target: float | None = None
    tuned_target: float | None = None
    batch: int = 1
    runs: int = 3
    gpu: bool = False
    gpu_targets: tuple[float | None, float | None] = (None, None)

    @property
    def training(self) -> bool:
        """Whether it is about a step of training."""
        return self.kind in ('train', 'checkpoint', 'activations')

    @property
    def unit(self) -> str:
        """Of its values."""
        return 'MB' if self.kind in ('memory', 'activations') else 's'


def _case(name: str, title: str, *targets: float, **fields) -> Case:
    kind, variant, height = name.split('-')
    kind, batch = re.fullmatch(r'([a-z]+)(\d*)', kind).groups()
    size = SIZES[height]
    title = f'{variant}, {title}, {size[0]}x{size[1]}'
    batch = int(batch or 1)
    return Case(name, kind, variant, size, title, *targets, batch=batch, **fields)


_SINGLE = 'single picture, 80 names'
_PROMPT = 'new prompt of 10 names, same picture'
_TURN = 'same 80 names, 4 pictures in turn'
_LVIS = 'LVIS, 1203 names'
_STEP = 'training step'
_PRESET = 'training step, `use_checkpoint`'
_KEPT = 'training step, activations'
_ABOVE = 'single picture, memory above the model'
_GPU = dict(gpu_targets=(6, 3))
_ALL = (
    _case('single-A-480', _SINGLE, 5, 3.5),
    _case('single-A-800', _SINGLE, 5, 3.5, **_GPU),
    _case('single-B-480', _SINGLE, 5, 4),
    _case('single-B-800', _SINGLE, 7, 4, runs=1, **_GPU),
    _case('short-B-800', 'single picture, 3 names', 10, 6, runs=1),
    _case('stream-A-480', _TURN, runs=1),
    _case('stream-B-480', _TURN, runs=1),
    _case('reprompt-A-480', _PROMPT),
    _case('reprompt-B-480', _PROMPT),
    _case('batch8-A-480', 'batch of 8, 80 names', runs=1),
    _case('batch8-B-480', 'batch of 8, 80 names', runs=1),
    _case('lvis-A-480', _LVIS, 90, 60, runs=1),
    _case('lvis-A-800', _LVIS, 90, 60, runs=1),
    _case('lvis-B-480', _LVIS, 10, 6, runs=1),
    _case('lvis-B-800', _LVIS, 10, 6, runs=1),
    _case('train-A-480', _STEP, 5, 3.5, runs=1),
    _case('train-B-480', _STEP, 4.5, 3.5, runs=1),
    _case('train2-B-800', f'{_STEP}, 2 pictures', gpu=True, gpu_targets=(2, None)),
    _case('checkpoint-A-480', _PRESET, 4, runs=1),
    _case('checkpoint-B-480', _PRESET, 4, runs=1),
    _case('activations-A-480', _KEPT, 0.7, runs=1),
    _case('activations-B-480', _KEPT, 0.4, runs=1),
    _case(
        'activations2-B-800',
        f'{_KEPT}, 2 pictures',
        runs=1,
        gpu=True,
        gpu_targets=(0.6, None),
    ),
    _case('memory-A-800', _ABOVE, 0.5, runs=1),
    _case('memory-B-800', _ABOVE, 0.2, runs=1),
)
CASES = {case.name: case for case in _ALL}


def select(patterns: Iterable[str]) -> list[Case]:
    """Cases by name or pattern (``single-*``), in the order of the table.

    Raises:
        ConfigError: A pattern fits none.
    """
    chosen = set()
    for pattern in patterns:
        matching = {name for name in CASES if fnmatchcase(name, pattern)}
        if not matching:
            raise ConfigError(
                f"no case is called '{pattern}'; there are {', '.join(CASES)}, and "
                "patterns such as 'single-*'"
            )
        chosen |= matching
    return [case for name, case in CASES.items() if name in chosen]
