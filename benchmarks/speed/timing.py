"""Runs of several sides in turn, and rows of tables of what they took."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from glip.runtime.measuring import clock

Label = TypeVar('Label')
Value = TypeVar('Value')


@dataclass
class Side:
    """One of those that are compared.

    Attributes:
        label: Its name in tables.
        run: Does the work once and returns what it took.
        peer: Whether ours is measured against it.
        extrapolated: Whether ``run`` computes a part only and reckons the rest.
        first: Seconds of the first call, in which a compiled model is compiled.
        warm_up: Does some of the work, before each measured run if anything needs that.
        values: What the runs took.
    """

    label: str
    run: Callable[[], float]
    peer: bool
    extrapolated: bool = False
    first: float | None = None
    warm_up: Callable[[], object] | None = None
    values: list[float] = field(default_factory=list)

    def record(self) -> dict:
        """Fields of a record, see :mod:`benchmarks.speed.records`."""
        names = ('label', 'peer', 'extrapolated', 'first', 'values')
        return {name: getattr(self, name) for name in names}


def seconds(work: Callable[[], object], device: str = 'cpu') -> float:
    """Time of one call."""
    gc.collect()
    start = clock(device)
    work()
    return clock(device) - start


def cpu_seconds(work: Callable[[], object]) -> float:
    """Processor time of one call, of all threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turn(
    calls: Mapping[Label, Callable[[], Value]], runs: int, unmeasured: int = 1
) -> dict[Label, list[Value]]:
    """What each call returns in rounds over all, without the first rounds."""
    results: dict[Label, list[Value]] = {label: [] for label in calls}
    for number in range(-unmeasured, runs):
        for label, call in calls.items():
            result = call()
            if number >= 0:
                results[label].append(result)
    return results


def alternate(
    sides: list[Side], runs: int, change_to: Callable[[Side], None] | None = None
) -> None:
    """Measure all sides in turn, the other way round in every second round.

    Args:
        sides: Their ``values`` are filled.
        runs: Rounds, of which each prints a line.
        change_to: Gives a side the surroundings that it is meant to run in.
    """
    for number in range(runs):
        for side in sides[:: -1 if number % 2 else 1]:
            if change_to:
                change_to(side)
            side.values.append(side.run())
        shown = ', '.join(f'{side.label} {side.values[-1]:.3f}' for side in sides)
        print(f'round {number + 1}: {shown}')


def line(cells: Iterable[str]) -> str:
    """A row of a table in markdown."""
    return f'| {" | ".join(cells)} |'


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]] = ()) -> list[str]:
    """Lines of a table in markdown."""
    return [line(head), '|---' * len(head) + '|', *map(line, lines)]


def spread(values: Sequence[float], digits: int = 2) -> list[str]:
    """Least, median and most."""
    numbers = (min(values), statistics.median(values), max(values))
    return [f'{number:.{digits}f}' for number in numbers]
