"""What starting costs: user CPU time of whole processes, as a table.

    python -m benchmarks.startup --runs 5 --other ../glip-of-before

With ``--other``, runs of another checkout take turns with those of this one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PICTURE = str(_ROOT / 'demo' / 'raccoon.jpg')


def commands(out: str) -> dict[str, list[str]]:
    """What is run, after ``python``, by its name in the table."""
    demo = [str(Path('demo', 'image_demo.py')), _PICTURE, 'glip-nano']
    return {
        'import torch': ['-c', 'import torch'],
        'import glip': ['-c', 'import glip'],
        "glip.load('glip-nano')": ['-c', "import glip; glip.load('glip-nano')"],
        'demo/image_demo.py, one picture': [
            *demo,
            *('--texts', 'raccoon', '--out-dir', out),
        ],
        'glip detect, one picture': [
            *('-m', 'glip', 'detect', _PICTURE, '--text', 'raccoon', '--out', out),
        ],
    }


def user_seconds(command: list[str], root: Path) -> float:
    """User CPU time of a Python process and its children.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    before = os.times().children_user
    subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=os.environ | {'PYTHONPATH': str(root)},
        check=True,
        capture_output=True,
    )
    return os.times().children_user - before


def rows(roots: list[Path], runs: int) -> Iterator[str]:
    """Lines of a table in Markdown."""
    yield f'| | {" | ".join(str(root.name) for root in roots)} |'
    yield '|---' * (len(roots) + 1) + '|'
    with tempfile.TemporaryDirectory() as out:
        for name, command in commands(out).items():
            times: dict[Path, list[float]] = {root: [] for root in roots}
            for run in range(runs + 1):
                for root in roots:
                    seconds = user_seconds(command, root)
                    if run:  # the first fills the caches of files
                        times[root].append(seconds)
            cells = (
                f'{min(t):.2f} / {statistics.median(t):.2f} / {max(t):.2f}'
                for t in times.values()
            )
            yield f'| `{name}` | {" | ".join(cells)} |'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--runs', type=int, default=5, help='measured runs [5]')
    parser.add_argument('--other', type=Path, help='another checkout')
    args = parser.parse_args()
    roots = [*([args.other.resolve()] if args.other else []), _ROOT]
    print('User CPU seconds: min / median / max.\n')
    for line in rows(roots, args.runs):
        print(line, flush=True)


if __name__ == '__main__':
    main()
