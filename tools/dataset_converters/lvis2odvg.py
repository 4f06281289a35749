"""Convert the annotations of LVIS to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_coco import coco_to_odvg
from glip.datasets.converters.result import Result


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


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return coco_to_odvg(
        args.input,
        args.output,
        dataset='lvis',
        label_map=args.label_map,
    )


if __name__ == '__main__':
    sys.exit(main())
