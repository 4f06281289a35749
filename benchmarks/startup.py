"""What starting costs: user CPU time of whole processes, as a table.

    python -m benchmarks.startup --runs 5 --other ../glip-of-before

With ``--other``, runs of another checkout take turns with those of this one.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from glip.runtime.command import command

from .speed.timing import in_turn, line, markdown, spread

_ROOT = Path(__file__).resolve().parents[1]
_PICTURE = str(_ROOT / 'demo' / 'raccoon.jpg')
# What is run, after ``python``, by its name in the table; pictures get a folder.
_COMMANDS = {
    'import torch': ('-c', 'import torch'),
    'import glip': ('-c', 'import glip'),
    "glip.load('glip-nano')": ('-c', "import glip; glip.load('glip-nano')"),
    'demo/image_demo.py, one picture': (
        *('demo/image_demo.py', _PICTURE, 'glip-nano'),
        *('--texts', 'raccoon', '--out-dir'),
    ),
    'glip detect, one picture': (
        *('-m', 'glip', 'detect', _PICTURE, '--text', 'raccoon', '--out'),
    ),
}


def user_seconds(words: list[str], root: Path) -> float:
    """User CPU time of a Python process and its children.

    Raises:
        subprocess.CalledProcessError: It failed.
    """
    before = os.times().children_user
    subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env=os.environ | {'PYTHONPATH': str(root)},
        check=True,
        capture_output=True,
    )
    return os.times().children_user - before


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--runs', type=int, default=5, help='measured runs [5]')
    add('--other', type=Path, help='another checkout')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure and print; the first, unmeasured run fills the caches of files."""
    roots = [*([args.other.resolve()] if args.other else []), _ROOT]
    print('User CPU seconds: min / median / max.\n')
    print(*markdown(['', *(root.name for root in roots)]), sep='\n')
    with tempfile.TemporaryDirectory() as out:
        for name, words in _COMMANDS.items():
            words = [*words, out] if _PICTURE in words else [*words]
            calls = {root: partial(user_seconds, words, root) for root in roots}
            times = in_turn(calls, args.runs).values()
            cells = [' / '.join(spread(values)) for values in times]
            print(line([f'`{name}`', *cells]), flush=True)


if __name__ == '__main__':
    sys.exit(main())
