"""Try bad input at every door and list what was answered.

    python tests/hostile/run.py --count 1000 --seed 1

The exit code is 1 where an answer was no result, no line and no documented error.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

if __name__ == '__main__':
    _TESTS = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(_TESTS.parent), str(_TESTS), str(_TESTS / 'test_apis')]

from hostile.doors import Door, as_its_own_process, copy, damage, load_all
from hostile.judge import Verdict, judge
from hostile.seeds import write_all


def schedule(doors: dict[str, Door], count: int, seed: int) -> list[tuple[str, int]]:
    """Door and number of each input; every door gets its share, at least one."""
    total = sum(one.share for one in doors.values())
    numbers = {
        name: max(1, round(count * one.share / total)) for name, one in doors.items()
    }
    return [(name, seed * 100_000 + i) for name, n in numbers.items() for i in range(n)]


def try_one(one: Door, number: int, seeds: Path, root: Path) -> tuple[str, Verdict]:
    """One input at one door: how it was damaged, and what was answered."""
    case = root / 'case'
    shutil.rmtree(case, ignore_errors=True)
    outside = root / 'outside'
    outside.mkdir(exist_ok=True)
    rng = random.Random(f'{one.name} {number}')
    copy(one, seeds, case)
    damaged = damage(one, case, rng)
    (outside / 'victim').write_text('as it was')
    with as_its_own_process(case), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        verdict = judge(
            lambda: one.call(case, rng), documented=one.documented, untouched=outside
        )
    shutil.rmtree(outside)
    return damaged, verdict


def try_all(
    chosen: list[tuple[str, int]], root: Path
) -> Iterator[tuple[str, int, str, Verdict]]:
    """Door, number, damage and verdict of each input."""
    doors = load_all()
    seeds = write_all(root / 'seeds')
    for name, number in chosen:
        yield name, number, *try_one(doors[name], number, seeds, root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=1000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--door', action='append', help='these doors only')
    parser.add_argument('--number', type=int, help='this input of the doors only')
    parser.add_argument('--verbose', action='store_true', help='every answer')
    args = parser.parse_args()
    doors = load_all()
    if args.door:
        doors = {name: doors[name] for name in args.door}
    chosen = schedule(doors, args.count, args.seed)
    if args.number is not None:
        chosen = [(name, args.number) for name in doors]
    answers: dict[str, Counter[str]] = {name: Counter() for name in doors}
    wrong: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix='hostile') as folder:
        for name, number, damaged, verdict in try_all(chosen, Path(folder)):
            answers[name][verdict.answer if verdict.right else 'WRONG'] += 1
            if not verdict.right:
                wrong[f'{name}: {verdict.answer}'] += 1
            if not verdict.right or args.verbose:
                mark = 'right' if verdict.right else 'WRONG'
                line = f'{mark} {name} {number} ({damaged}): {verdict.answer}'
                print(line, verdict.detail[:700], sep='\n    ', flush=True)
    for name, counts in answers.items():
        shown = ', '.join(f'{n} {what}' for what, n in sorted(counts.items()))
        print(f'{name:24} {sum(counts.values()):5}: {shown}')
    total = sum(sum(counts.values()) for counts in answers.values())
    print(f'{total} inputs, {sum(wrong.values())} wrong answers')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
