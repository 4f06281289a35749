"""Convert the annotations of LVIS to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import run
from glip.datasets.converters.from_coco import coco_to_odvg


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='lvis_v1_train.json or its like')
    parser.add_argument(
        '--output', '-o', help='records to write (<input>_od.json beside the input)'
    )
    parser.add_argument(
        '--label-map',
        help='class names to write (lvis_v1_label_map.json beside the output)',
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    return run(
        coco_to_odvg,
        args.input,
        args.output,
        dataset='lvis',
        label_map=args.label_map,
    )


if __name__ == '__main__':
    sys.exit(main())
