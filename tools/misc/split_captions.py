"""Split captioned pictures: boxes for some, only captions for the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.result import Result
from glip.datasets.converters.split_captions import split_captions


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('instances', help='instances_*.json')
    parser.add_argument('captions', help='captions_*.json of the same pictures')
    parser.add_argument(
        '--labelled', type=int, required=True, help='pictures that keep their boxes'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the draw (0)')
    parser.add_argument('--output', '-o', required=True, help='folder to write into')
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> list[Result]:
    """Split what the command line names."""
    return split_captions(
        args.instances,
        args.captions,
        args.output,
        labelled=args.labelled,
        seed=args.seed,
    )


if __name__ == '__main__':
    sys.exit(main())
