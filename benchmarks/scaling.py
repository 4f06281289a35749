r"""What detection costs as work grows: picture size, names, prompts, batch, processes.

    python -m benchmarks.scaling glip-nano --chart docs/pictures/scaling.png

Each axis grows while all else stays: a picture of 512x512, ten names, one picture, one
process. Printed are CPU milliseconds of a call (least of the rounds, which go over all
points in turn) and the exponent of the power law that fits them; 1 is proportional.
Processes detect side by side with one thread each: theirs is the time of a picture of
all of them together.
"""

import argparse
import copy
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

import glip
from glip.apis import Detector
from glip.report.figures import new_figure
from glip.runtime.atomic import atomic_write
from glip.runtime.command import command

from .speed.environment import machine
from .speed.timing import cpu_seconds, in_turn, line, markdown

_SIDE, _NAMES = 512, 10
_SIDES = (256, 384, 512, 768, 1024)
_COUNTS = (1, 10, 40, 80)
_PROMPTS = (1, 2, 4, 8)
_BATCHES = (1, 2, 4, 8)
_PICTURES = 4  # of each process

Points = dict[int, Callable[[], object]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('model', nargs='?', default='glip-nano', help='zoo name or config')
    add('--weights', help='file, address or zoo name')
    add('--runs', type=int, default=3, help='rounds')
    add('--threads', type=int, default=1)
    add('--processes', type=int, nargs='*', default=[1, 2])
    add('--chart', type=Path, help='PNG of all axes')


def picture(side: int) -> np.ndarray:
    """A picture that is resized to ``side`` squared, of noise."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (side, side, 3), np.uint8)


def names(count: int) -> list[str]:
    """So many one-word names that differ, of equal length in tokens."""
    letters = 'bcdfghjklmnpqrstvwxz'
    return [f'{a} {b}' for a in letters for b in letters][:count]


def axes_of(detector: Detector) -> dict[str, Points]:
    """Calls by the number that grows, by axis."""
    at_side = {side: resizing_to(side, detector) for side in {*_SIDES, _SIDE}}

    def call(images: object, words: Sequence[str], side: int = _SIDE, **options):
        return lambda: at_side[side](images, words, threshold=0.9, **options)

    plain = picture(_SIDE)
    return {
        'picture, pixels': {
            side * side: call(picture(side), names(_NAMES), side) for side in _SIDES
        },
        'names in a prompt': {n: call(plain, names(n)) for n in _COUNTS},
        'prompts of ten names': {
            n: call(plain, names(n * _NAMES), chunked_size=_NAMES) for n in _PROMPTS
        },
        'pictures in a batch': {
            n: call([plain] * n, names(_NAMES), batch_size=n) for n in _BATCHES
        },
    }


def resizing_to(side: int, detector: Detector) -> Detector:
    """The detector on pictures of another size, each computed anew."""
    detector.model.reuse_features = False
    cfg = copy.deepcopy(detector.cfg)
    for step in cfg.test_dataloader.dataset.pipeline:
        if 'scale' in step:
            step['scale'] = (side, side)
    return Detector(detector.model, cfg)


def measure(points: dict[str, Points], runs: int) -> dict[str, dict[int, float]]:
    """Least CPU milliseconds of each call."""
    calls = {
        (axis, number): partial(cpu_seconds, call)
        for axis, calls in points.items()
        for number, call in calls.items()
    }
    least: dict[str, dict[int, float]] = {axis: {} for axis in points}
    for (axis, number), spent in in_turn(calls, runs).items():
        least[axis][number] = 1e3 * min(spent)
    return least


def exponent(times: dict[int, float]) -> float:
    """Slope of the straight line through the logarithms."""
    return float(np.polyfit(*np.log([list(times), list(times.values())]), 1)[0])


def _detect_some(model: str, weights: str | None) -> tuple[float, float]:
    """Detect in a process of its own: when it began and ended."""
    torch.set_num_threads(1)
    detector = glip.load(model, weights, 'cpu')
    detector(picture(_SIDE), names(_NAMES))
    start = time.time()
    for _ in range(_PICTURES):
        detector(picture(_SIDE), names(_NAMES))
    return start, time.time()


def by_processes(
    model: str, weights: str | None, counts: Sequence[int]
) -> dict[int, float]:
    """Milliseconds from picture to picture of so many processes together."""
    times = {}
    for count in counts:
        with ProcessPoolExecutor(count, mp_context=get_context('spawn')) as pool:
            jobs = [pool.submit(_detect_some, model, weights) for _ in range(count)]
            starts, ends = zip(*(job.result() for job in jobs))
        times[count] = 1e3 * (max(ends) - min(starts)) / (count * _PICTURES)
    return times


def draw(results: dict[str, dict[int, float]], path: Path) -> None:
    """Log-log curves of all axes."""
    figure, ax = new_figure(7.5, 4.6)
    for axis, times in results.items():
        relative = np.array(list(times)) / min(times)
        cost = np.array(list(times.values())) / times[min(times)]
        label = f'{axis}: {exponent(times):.2f}'
        ax.loglog(relative, cost, marker='o', label=label)
    ax.set_xlabel('times as much work')
    ax.set_ylabel('times the CPU time')
    ax.legend(title='exponent')
    with atomic_write(path) as part:
        figure.savefig(part, format='png', dpi=110)


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure, print a table and draw."""
    torch.set_num_threads(args.threads)
    detector = glip.load(args.model, args.weights, 'cpu')
    results = measure(axes_of(detector), args.runs)
    rows = [(axis, times, f'{exponent(times):.2f}') for axis, times in results.items()]
    if args.processes:
        together = by_processes(args.model, args.weights, args.processes)
        rows.append(('processes, time of a picture', together, ''))
    print(machine('cpu'), '', *markdown(('axis', 'ms', 'exponent')), sep='\n')
    for axis, times, slope in rows:
        cells = ', '.join(f'{n}: {spent:.0f}' for n, spent in times.items())
        print(line([axis, cells, slope]))
    if args.chart:
        draw(results, args.chart)


if __name__ == '__main__':
    sys.exit(main())
