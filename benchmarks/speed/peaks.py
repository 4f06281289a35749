"""Peak memory of a process above the loaded model."""

import ctypes
import gc
from pathlib import Path

from glip.errors import ConfigError
from glip.runtime.measuring import gpu_bytes

from .contestants import contestants
from .environment import allocator_of_users
from .job import Job
from .subjects import COCO, Subjects, prepare

_STATUS = Path('/proc/self/status')
_MB = 2**20


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
    if job.device == 'cpu':
        allocator_of_users(ours=not job.side.startswith('mmdet'))
    if job.device == 'cuda':
        return gpu_bytes(lambda: one.detect(batch)) / _MB
    _give_back()
    _reset_peak()
    before = _status('VmRSS')
    one.detect(batch)
    return _status('VmHWM') - before


def _give_back() -> None:
    """Return freed memory to the system, so that the peak shows its use."""
    gc.collect()
    libc = ctypes.CDLL(None)
    if hasattr(libc, 'malloc_trim'):
        libc.malloc_trim(0)


def _reset_peak() -> None:
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        raise ConfigError(
            'memory-* cases read and reset the peak of the process in /proc, which '
            'this system does not allow'
        ) from None


def _status(field: str) -> float:
    """A field of the process status, in MB."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) / 1024
    raise ConfigError(f'{_STATUS} has no {field}')
