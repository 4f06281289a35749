"""Alternating runs of several sides."""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from glip.runtime.measuring import clock


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


def alternate(
    sides: list[Side],
    runs: int,
    budget: float | None = None,
    change_to: Callable[[Side], None] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Measure all sides in turn, the other way round in every second round.

    Args:
        sides: Their ``values`` are filled.
        runs: Rounds.
        budget: Seconds after which no further round begins.
        change_to: Gives a side the surroundings that it is meant to run in.
        say: Given a line per round.
    """
    start = time.perf_counter()
    for number in range(runs):
        if number and budget and time.perf_counter() - start > budget:
            say(f'stopped after {number} of {runs} rounds, {budget:.0f} s are over')
            break
        for side in sides[:: -1 if number % 2 else 1]:
            if change_to:
                change_to(side)
            side.values.append(side.run())
        shown = ', '.join(f'{side.label} {side.values[-1]:.3f}' for side in sides)
        say(f'round {number + 1}: {shown}')
