r"""Whether every form of our model computes what its plain form does.

    python -m benchmarks.forms --device cuda

Forms are the kernels that the device has, bfloat16, ``torch.compile`` and CUDA graphs,
forward and backward. The reference is the plain form in float32, on the same weights
and pictures. Printed is a table; the exit code is 1 where a form disagrees.
"""

import argparse
import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

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
from .speed.subjects import COCO, Subjects, build_subjects, prepare, training_batch

_VARIANTS = ('A', 'B')
# bfloat16 has three digits; its scores and boxes move.
_HALF = dict(overlap=0.9, score=0.05)
_HALF_MATCHED, _HALF_LOSSES, _HALF_GRADIENTS = 0.9, 0.05, 0.2
_HEADER = ('model', 'form', 'boxes', 'losses', 'gradients', 'agrees')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--device', choices=('cpu', 'cuda'), default='cpu')
    add('--precision', nargs='+', choices=PRECISIONS, default=list(PRECISIONS))
    add('--compile', nargs='*', choices=MODES, default=list(MODES))
    add('--size', type=int, nargs=2, default=(480, 640), metavar=('HEIGHT', 'WIDTH'))
    add('--out', type=Path, help='write the table here as well')
    return parser.parse_args(argv)


@torch.no_grad()
def forward_rows(
    subjects: Subjects, size: tuple[int, int], job: Callable[..., Job], modes: Sequence
) -> Iterator[tuple[str, str, bool]]:
    """Detections of each form against those of the plain one.

    Args:
        subjects: The model with weights that find something.
        size: Of the picture.
        job: Gives the job of a precision and a mode of compiling.
        modes: Of compiling, None for none.

    Yields:
        Form, what was seen, and whether it agrees.
    """
    batch = prepare(subjects.ours, size, COCO)
    (reference,) = Contestant('plain', subjects.ours, True, context=plain_path).detect(
        batch
    )
    for mode in modes:
        *_, form = contestants(job(mode), subjects)
        # Graphs are recorded by the second call.
        samples = [form.detect(batch)[0] for _ in range(3 if mode else 1)]
        theirs, ours = reference.pred_instances, samples[-1].pred_instances
        count = matches(ours, theirs, **(_HALF if form.bf16 else {}))
        share = _HALF_MATCHED if form.bf16 else MATCHED
        agrees = len(theirs) > 0 and count >= share * max(len(theirs), len(ours))
        label = 'CUDA graphs' if mode == MODES[1] else mode and 'compiled'
        yield label or 'kernels', f'{count}/{len(theirs)}', agrees


def backward_rows(
    subjects: Subjects, size: tuple[int, int], half: bool, modes: Sequence
) -> Iterator[tuple[str, float, float, bool]]:
    """Losses and gradients of each form against those of the plain one.

    Args:
        subjects: As of :func:`forward_rows`.
        size: Likewise.
        half: Under autocast to bfloat16.
        modes: Of compiling; training records no CUDA graphs.

    Yields:
        Form, relative differences, and whether they are small.
    """
    device = next(subjects.ours.parameters()).device.type

    def step(model, context: AbstractContextManager, bf16: bool):
        with context, torch.autocast(device, torch.bfloat16, enabled=bf16):
            terms = losses_of(model, training_batch(size))
        model.eval()
        return terms

    reference = step(subjects.ours, plain_path(), False)
    for mode in modes:
        model = copy.deepcopy(subjects.ours)
        if mode:
            compile_parts(model, dict(mode=mode))
        terms, lengths = zip(step(model, nullcontext(), half), reference)
        loss, gradient = relative(terms, lengths)
        limits = (_HALF_LOSSES, _HALF_GRADIENTS) if half else (LOSSES, GRADIENTS)
        agrees = loss <= limits[0] and gradient <= limits[1]
        yield 'compiled' if mode else 'kernels', loss, gradient, agrees


def rows_of(
    variant: str, args: argparse.Namespace, subjects: Subjects
) -> Iterator[tuple[str, ...]]:
    """Rows of the table for one model."""
    size = tuple(args.size)
    subjects.calibrate(prepare(subjects.ours, size, COCO))
    graphs = args.device == 'cuda'
    modes = [None, *(m for m in args.compile if graphs or m != MODES[1])]
    for precision in args.precision:

        def job(mode: str | None, precision: str = precision) -> Job:
            case = f'single-{variant}-480'
            return Job(
                case, device=args.device, precision=precision, compile=mode, peers=()
            )

        forward = list(forward_rows(subjects, size, job, modes))
        trained = [mode for mode in modes if mode != MODES[1]]
        half = precision == 'bf16'
        backward = {
            label: rest for label, *rest in backward_rows(subjects, size, half, trained)
        }
        for label, boxes, agrees in forward:
            loss, gradient, small = backward.get(label, (None, None, True))
            numbers = ['' if n is None else f'{n:.0e}' for n in (loss, gradient)]
            form = f'{label}, {precision}'
            yield variant, form, boxes, *numbers, 'yes' if agrees and small else 'NO'


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Compare and print the table.

    Raises:
        GLIPError: A form disagrees.
    """
    if lack := missing(argparse.Namespace(device=args.device, precision=['fp32'])):
        print(f'skipped: {lack}')
        return
    lines = [machine(args.device), '', _line(_HEADER), _line(_RULE)]
    print('\n'.join(lines))
    wrong = 0
    for variant in _VARIANTS:
        with mended():
            subjects = build_subjects(variant, training=False, device=args.device)
            for cells in rows_of(variant, args, subjects):
                wrong += cells[-1] == 'NO'
                lines.append(_line(cells))
                print(lines[-1], flush=True)
    if args.out:
        write_text(args.out, '\n'.join([*lines, '']))
    if wrong:
        raise GLIPError(f'{wrong} forms disagree with the plain one')


_RULE = ('---',) * len(_HEADER)


def _line(cells: Sequence[str]) -> str:
    return f'| {" | ".join(cells)} |'


if __name__ == '__main__':
    sys.exit(main())
