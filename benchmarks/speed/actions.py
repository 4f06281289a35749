"""What each kind of inference case does, as sides that can be run in turn."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence

from glip.models.dense_heads import PictureFeatures

from .agreement import detections_agree
from .contestants import Contestant, contestants
from .job import Job
from .subjects import COCO, LVIS, SHORT, Batch, Subjects, prepare
from .timing import Side, seconds

_CHUNK = 40
_STREAM = 4


def sides_of(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """Sides of a case and what the comparison of their outputs saw.

    The comparison is also their warm-up.

    Raises:
        Disagreement: They do not compute the same.
    """
    return _KINDS.get(job.what.kind, _pictures)(job, subjects)


def _pictures(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """The same prompt for one batch or several in turn; seconds are those of one."""
    case = job.what
    names = SHORT if case.kind == 'short' else COCO
    batches = [
        prepare(subjects.ours, case.size, names, batch=case.batch, first=i)
        for i in range(_STREAM if case.kind == 'stream' else 1)
    ]
    check = _check(job, subjects, batches[0])

    def run(one: Contestant) -> float:
        taken = seconds(lambda: list(map(one.detect, batches)), job.device)
        return taken / len(batches)

    return _sides(job, subjects, run, batches[:1]), check


def _reprompt(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """Each run asks for other names in the same picture; all sides for the same.

    Ours has computed before what of the picture needs no words.
    """
    drawn = random.Random(0)
    names = [drawn.sample(LVIS, 10) for _ in range(100)]
    batch = prepare(subjects.ours, job.what.size, names[0])
    batches = [batch.asking(some) for some in names]
    check = _check(job, subjects, batch)
    ahead: dict[str, Iterator[Batch]] = {}
    seen: dict[str, PictureFeatures] = {}

    def run(one: Contestant) -> float:
        batch = next(ahead.setdefault(one.label, itertools.cycle(batches[2:])))
        if one.model is subjects.peer:
            return seconds(lambda: one.detect(batch), job.device)
        if one.label not in seen:
            seen[one.label] = one.look(batch)
        return seconds(lambda: one.ask(seen[one.label], batch), job.device)

    return _sides(job, subjects, run, batches[1:2]), check


def _lvis(job: Job, subjects: Subjects) -> tuple[list[Side], str]:
    """All names of LVIS, 40 to a prompt; the peer's time from 1 and 3 prompts."""
    subjects.ours.test_cfg.chunked_size = _CHUNK
    subjects.ours.bbox_head.test_cfg['max_per_img'] = 300
    for cfg in (subjects.peer.test_cfg, subjects.peer.bbox_head.test_cfg):
        cfg.update(chunked_size=_CHUNK, max_per_img=300)
    chunks = -(-len(LVIS) // _CHUNK)
    whole = prepare(subjects.ours, job.what.size, LVIS)
    check = _check(job, subjects, whole.asking(LVIS[:_CHUNK]))
    # Fused towers take 2 or 4 prompts together, so ours is reckoned from 4 and 8.
    parts = {count: whole.asking(LVIS[: count * _CHUNK]) for count in (1, 3, 4, 8)}

    def reckoned(one: Contestant, few: int, more: int) -> float:
        less, longer = (
            seconds(lambda n=n: one.detect(parts[n]), job.device) for n in (few, more)
        )
        return less + (chunks - few) * (longer - less) / (more - few)

    def run(one: Contestant) -> float:
        if one.peer and one.model is subjects.peer:
            return reckoned(one, 1, 3)
        if job.quick:
            return reckoned(one, 4, 8)
        return seconds(lambda: one.detect(whole), job.device)

    # What a user pays once is not in it: the text of all prompts.
    texts = [parts[4], parts[8]] if job.quick else [whole]
    sides = _sides(job, subjects, run, [parts[1]], texts)
    for side in sides:
        side.extrapolated = job.quick or side.label.startswith('mmdet')
    return sides, check


def _check(job: Job, subjects: Subjects, batch: Batch) -> str:
    subjects.calibrate(batch)
    if 'mmdet' not in job.peers:
        return 'not compared'
    return str(detections_agree(subjects, batch))


def _sides(
    job: Job,
    subjects: Subjects,
    run: Callable[[Contestant], float],
    warm_up: list[Batch],
    texts: Sequence[Batch] = (),
) -> list[Side]:
    """Sides of all contestants, those that no comparison has called yet warmed up."""
    sides = []
    for one in contestants(job, subjects):
        side = Side(one.label, lambda one=one: run(one), one.peer)
        if one.model is not subjects.peer:
            for batch in texts:
                one.encode(batch)
        if one.label not in ('mmdet', 'ours') or 'mmdet' not in job.peers:
            side.first = seconds(lambda one=one: list(map(one.detect, warm_up)))
        side.warm_up = lambda one=one: one.detect(warm_up[0])
        sides.append(side)
    return sides


_KINDS = dict(reprompt=_reprompt, lvis=_lvis)
