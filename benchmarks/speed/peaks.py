"""Peak memory: of a step of training, and of inference in a process."""

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from glip.errors import ConfigError
from glip.runtime.measuring import gpu_bytes

from .contestants import contestants
from .environment import allocator_of_users
from .job import Job
from .subjects import COCO, Subjects, prepare

MB = 2**20
_STATUS = Path('/proc/self/status')


def step_peak(step: Callable[[], object], device: str = 'cpu') -> float:
    """The most MB that torch's allocator gave out during a step, above those before.

    Args:
        step: Called once; on a GPU also before, for what libraries keep.
        device: ``cpu`` or ``cuda``.
    """
    if device == 'cuda':
        step()
        return gpu_bytes(step) / MB
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    allocations = [
        event
        for event in profiled.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    held = highest = 0
    for event in sorted(allocations, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest / MB


def inference_peak(job: Job, subjects: Subjects) -> float:
    """MB above the loaded model while one picture is searched.

    Args:
        job: Its ``side`` says whose; the other model is dropped.
        subjects: Both models.

    Raises:
        ConfigError: On a CPU whose system does not tell (only Linux does).
    """
    (one,) = (one for one in contestants(job, subjects) if one.label == job.side)
    small = prepare(subjects.ours, (64, 64), COCO)
    batch = prepare(subjects.ours, job.what.size, COCO)
    subjects.calibrate(batch)
    subjects.ours = subjects.peer = None
    one.detect(small)  # loads what is loaded once
    if job.device == 'cuda':
        return gpu_bytes(lambda: one.detect(batch)) / MB
    allocator_of_users(ours=not job.side.startswith('mmdet'))
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'malloc_trim'):  # freed memory is not to hide what is used
        libc.malloc_trim(0)
    try:
        Path('/proc/self/clear_refs').write_text('5')  # resets the peak
    except OSError:
        raise ConfigError(
            'memory-* cases read and reset the peak of the process in /proc, which '
            'this system does not allow'
        ) from None
    before = _status('VmRSS')
    one.detect(batch)
    return _status('VmHWM') - before


def _status(field: str) -> float:
    """A field of the process status, in MB."""
    lines = dict(line.split(':', 1) for line in _STATUS.read_text().splitlines())
    return int(lines[field].split()[0]) / 1024
