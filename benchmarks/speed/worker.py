"""The process of one measurement: ``python -m benchmarks.speed.worker JOB OUT``."""

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import MMLogger

from glip.errors import GLIPError
from glip.runtime.command import command

from .actions import sides_of
from .environment import allocator_of_users, apply_settings, describe
from .job import Job
from .peaks import inference_peak
from .peer import mended
from .stages import profile
from .subjects import Subjects, build_subjects
from .timing import Side, alternate
from .training import training_sides


def measure(job: Job, subjects: Subjects | None = None) -> dict:
    """Carry a job out in this process.

    Args:
        job: What to measure.
        subjects: Other models than the case's own (for tests), inside
            :func:`~benchmarks.speed.peer.mended`.

    Returns:
        The record, see :mod:`benchmarks.speed.records`.

    Raises:
        ConfigError: It cannot be measured here.
        Disagreement: Both sides do not compute the same.
    """
    case = job.what
    subjects = subjects or build_subjects(
        case.variant, training=case.training, device=job.device
    )
    record = dict(
        case=case.name,
        settings=job.settings,
        device=job.device,
        precision=job.precision,
        unit=case.unit,
    )
    if job.profile:
        return record | profile(job, subjects)
    if case.kind == 'memory':
        peer = job.side.startswith('mmdet')
        side = Side(job.side, lambda: inference_peak(job, subjects), peer)
        sides, check = [side], f'see single-{case.variant}-800'
    elif case.training:
        sides, check = training_sides(job, subjects)
    else:
        sides, check = sides_of(job, subjects)
    print(f'{case.name}, {job.settings}: {check}', flush=True)
    by_side = job.settings == 'default' and job.device == 'cpu' and case.unit == 's'
    change_to = _to_users_allocator if by_side else None
    alternate(sides, job.runs or case.runs, job.budget, change_to)
    return record | dict(
        check=check,
        sides=[
            dict(
                label=side.label,
                peer=side.peer,
                extrapolated=side.extrapolated,
                first=side.first,
                values=side.values,
            )
            for side in sides
        ],
    )


def _to_users_allocator(side: Side) -> None:
    """Memory is kept once it is there, so ours gets it in a call before."""
    ours = not side.label.startswith('mmdet')
    allocator_of_users(ours=ours)
    if ours and side.warm_up:
        side.warm_up()


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('job', type=Job.from_json, help='job as JSON')
    parser.add_argument('out', type=Path, help='record to write (.json)')
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Measure and write the record."""
    job = args.job
    if job.threads:
        torch.set_num_threads(job.threads)
    apply_settings(job.settings)
    warnings.simplefilter('ignore')
    MMLogger.get_current_instance().setLevel('WARNING')
    try:
        with mended():
            record = measure(job) | dict(environment=describe(job.device))
    except GLIPError as error:
        raise GLIPError(f'{job.case}: {error}') from error
    args.out.write_text(json.dumps(record))


if __name__ == '__main__':
    sys.exit(main())
