"""How long a detector waits for pictures to be read, with and without looking ahead.

python -m benchmarks.waiting FOLDER --model glip-nano
"""

from __future__ import annotations

import argparse
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


class Meter:
    """Stands in for ``computed_ahead`` and adds up how long its results are awaited.

    Args:
        looks_ahead: Whether to compute ahead as the detector asks, or never.
    """

    def __init__(self, looks_ahead: bool) -> None:
        self.looks_ahead, self.waited = looks_ahead, 0.0

    def __call__(self, function: Any, items: Any, *, ahead: int) -> Iterator[Any]:
        """Yield what ``computed_ahead`` yields."""
        ahead = ahead if self.looks_ahead else 0
        results = computed_ahead(function, items, ahead=ahead)
        while True:
            begin = time.perf_counter()
            result = next(results, None)
            self.waited += time.perf_counter() - begin
            if result is None:
                return
            yield result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='pictures')
    parser.add_argument('--model', default='glip-nano', help='name or config')
    parser.add_argument('--weights', help='checkpoint')
    parser.add_argument('--pictures', type=int, default=60, help='at most [60]')
    args = parser.parse_args()
    detector = glip.load(args.model, args.weights, device='cpu')
    pictures = list(islice(find_images(args.folder), args.pictures))
    names = ['person', 'dog', 'car', 'chair']
    detector(pictures[:4], names)
    print('| | pictures | seconds | waited | share |\n|---|---|---|---|---|')
    for name, looks_ahead in (('one after the other', False), ('looking ahead', True)):
        meter = Meter(looks_ahead)
        begin = time.perf_counter()
        with patch.object(module, 'computed_ahead', meter):
            detector(pictures, names)
        seconds = time.perf_counter() - begin
        share = meter.waited / seconds
        print(
            f'| {name} | {len(pictures)} | {seconds:.2f} | {meter.waited:.2f} | '
            f'{share:.1%} |'
        )


if __name__ == '__main__':
    main()
