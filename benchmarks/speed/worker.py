"""What the process of one measurement does."""

import warnings

import torch
from mmengine.logging import MMLogger

from glip.errors import GLIPError

from .actions import sides_of
from .environment import allocator_of_users, apply_settings, describe
from .job import Job
from .peaks import inference_peak
from .peer import mended
from .stages import profile
from .subjects import Subjects, build_subjects
from .timing import Side, alternate
from .training import training_sides


def work(job: Job) -> dict:
    """Set this process up as a job wants it, and measure.

    Raises:
        GLIPError: It cannot be measured here, or the sides do not compute the same.
    """
    if job.threads:
        torch.set_num_threads(job.threads)
    apply_settings(job.settings)
    warnings.simplefilter('ignore')
    MMLogger.get_current_instance().setLevel('WARNING')
    try:
        with mended():
            return measure(job) | dict(environment=describe(job.device))
    except GLIPError as error:
        raise GLIPError(f'{job.case}: {error}') from error


def measure(job: Job, subjects: Subjects | None = None) -> dict:
    """Carry a job out.

    Args:
        job: What to measure.
        subjects: Other models than the case's own (for tests), inside
            :func:`~benchmarks.speed.peer.mended`.

    Returns:
        The record without its environment, see :mod:`benchmarks.speed.records`.

    Raises:
        GLIPError: As for :func:`work`.
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
    alternate(sides, job.runs or case.runs, change_to)
    return record | dict(check=check, sides=[side.record() for side in sides])


def _to_users_allocator(side: Side) -> None:
    """Memory is kept once it is there, so ours gets it in a call before."""
    ours = not side.label.startswith('mmdet')
    allocator_of_users(ours=ours)
    if ours and side.warm_up:
        side.warm_up()
