r"""Whether every form of our model computes what its plain form does.

    python -m benchmarks.forms --device cuda

Forms are the kernels that the device has, bfloat16, ``torch.compile`` and CUDA graphs,
forward and backward. The reference is the plain form in float32, on the same weights
and pictures. Printed is a table; the exit code is 1 where a form disagrees.
"""

import argparse
import copy
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.structures import InstanceData
from torch import nn

from glip.errors import GLIPError
from glip.ops import plain_path
from glip.runtime.command import command
from glip.runtime.compiling import compile_parts
from glip.runtime.writing import write_text

from .compare import missing
from .speed.agreement import GRADIENTS, LOSSES, MATCHED, losses_of, matches, relative
from .speed.contestants import Contestant, contestants
from .speed.environment import machine
from .speed.job import MODES, PRECISIONS, Job
from .speed.peer import mended
from .speed.subjects import (
    COCO,
    Batch,
    Subjects,
    build_subjects,
    prepare,
    training_batch,
)
from .speed.timing import line, markdown

_VARIANTS = ('A', 'B')
# bfloat16 has three digits; its scores and boxes move.
_HALF = dict(overlap=0.9, score=0.05)
_HALF_MATCHED, _HALF_LOSSES, _HALF_GRADIENTS = 0.9, 0.05, 0.2
_HEADER = ('model', 'form', 'boxes', 'losses', 'gradients', 'agrees')
_WORDS = ('NO', 'yes')


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--device', choices=('cpu', 'cuda'), default='cpu')
    add('--precision', nargs='+', choices=PRECISIONS, default=list(PRECISIONS))
    add('--compile', nargs='*', choices=MODES, default=list(MODES))
    add('--size', type=int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH'))
    add('--out', type=Path, help='write the table here as well')


@torch.no_grad()
def detections_of(form: Contestant, batch: Batch, *, calls: int = 1) -> InstanceData:
    """What the last of some calls finds in one picture."""
    return [form.detect(batch)[0] for _ in range(calls)][-1].pred_instances


def losses_and_gradients(
    model: nn.Module, size: tuple[int, int], *, half: bool = False
) -> tuple[torch.Tensor, float]:
    """Losses and the length of all gradients of one step; see :func:`losses_of`."""
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=half):
        terms = losses_of(model, training_batch(size))
    model.eval()
    return terms


def rows_of(
    variant: str, args: argparse.Namespace, subjects: Subjects
) -> Iterator[tuple[str, ...]]:
    """Rows of the table for one model.

    Args:
        variant: Its name.
        args: The command line.
        subjects: The model, with weights that find something once calibrated.
    """
    size = tuple(args.size)
    batch = prepare(subjects.ours, size, COCO)
    subjects.calibrate(batch)
    plain = Contestant('plain', subjects.ours, True, context=plain_path)
    truth = detections_of(plain, batch)
    with plain_path():
        plain_step = losses_and_gradients(subjects.ours, size)
    graphs = args.device == 'cuda'
    modes = [None, *(m for m in args.compile if graphs or m != MODES[1])]
    for precision, mode in itertools.product(args.precision, modes):
        half, job = precision == 'bf16', Job(f'single-{variant}-480', peers=())
        job = replace(job, device=args.device, precision=precision, compile=mode)
        *_, form = contestants(job, subjects)
        # Graphs are recorded by the second call.
        ours = detections_of(form, batch, calls=3 if mode else 1)
        count = matches(ours, truth, **(_HALF if half else {}))
        share = _HALF_MATCHED if half else MATCHED
        agrees = len(truth) > 0 and count >= share * max(len(truth), len(ours))
        numbers = ['', '']
        if mode != MODES[1]:  # training records no graphs
            model = copy.deepcopy(subjects.ours)
            if mode:
                compile_parts(model, dict(mode=mode))
            step = losses_and_gradients(model, size, half=half)
            differences = relative(*zip(step, plain_step))
            limits = (_HALF_LOSSES, _HALF_GRADIENTS) if half else (LOSSES, GRADIENTS)
            agrees &= all(d <= limit for d, limit in zip(differences, limits))
            numbers = [f'{difference:.0e}' for difference in differences]
        label = 'CUDA graphs' if mode == MODES[1] else 'compiled' if mode else 'kernels'
        boxes = f'{count}/{len(truth)}'
        yield variant, f'{label}, {precision}', boxes, *numbers, _WORDS[agrees]


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Compare and print the table.

    Raises:
        GLIPError: A form disagrees.
    """
    if lack := missing(argparse.Namespace(device=args.device, precision=['fp32'])):
        print(f'skipped: {lack}')
        return
    lines = [machine(args.device), '', *markdown(_HEADER)]
    print('\n'.join(lines))
    wrong = 0
    for variant in _VARIANTS:
        with mended():
            subjects = build_subjects(variant, training=False, device=args.device)
            for cells in rows_of(variant, args, subjects):
                wrong += cells[-1] == _WORDS[False]
                lines.append(line(cells))
                print(lines[-1], flush=True)
    if args.out:
        write_text(args.out, '\n'.join([*lines, '']))
    if wrong:
        raise GLIPError(f'{wrong} forms disagree with the plain one')


if __name__ == '__main__':
    sys.exit(main())
