"""How long a detector waits for pictures to be read, with and without looking ahead.

python -m benchmarks.waiting FOLDER --model glip-nano
"""

import argparse
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import glip
from glip.apis import detector as module
from glip.images import find_images
from glip.runtime.ahead import computed_ahead
from glip.runtime.command import command

from .speed.timing import line, markdown, seconds

_WORDS = ['person', 'dog', 'car', 'chair']


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('folder', type=Path, help='pictures')
    add('--model', default='glip-nano', help='name or config')
    add('--weights', help='checkpoint')
    add('--pictures', type=int, default=60, help='at most [60]')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Measure and print."""
    detector = glip.load(args.model, args.weights, device='cpu')
    pictures = list(islice(find_images(args.folder), args.pictures))
    detector(pictures[:4], _WORDS)
    waits: list[float] = []
    looks_ahead = False

    def metered(function: Any, items: Any, *, ahead: int) -> Iterator[Any]:
        """``computed_ahead``, with the seconds that its results are awaited noted."""
        results = computed_ahead(function, items, ahead=ahead if looks_ahead else 0)
        while True:
            begin = time.perf_counter()
            result = next(results, None)
            waits.append(time.perf_counter() - begin)
            if result is None:
                return
            yield result

    head = ('', 'pictures', 'seconds', 'waited', 'share')
    print(*markdown(head), sep='\n')
    with patch.object(module, 'computed_ahead', metered):
        for looks_ahead in (False, True):
            waits.clear()
            taken = seconds(lambda: detector(pictures, _WORDS))
            name = 'looking ahead' if looks_ahead else 'one after the other'
            times = (f'{taken:.2f}', f'{sum(waits):.2f}', f'{sum(waits) / taken:.1%}')
            print(line([name, str(len(pictures)), *times]))


if __name__ == '__main__':
    sys.exit(main())
