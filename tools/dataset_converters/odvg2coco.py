"""Convert ODVG detection records to COCO's layout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_odvg import odvg_to_coco
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='records (.json or .jsonl)')
    parser.add_argument(
        '--output', '-o', help='file to write (<input>_coco.json beside the input)'
    )
    parser.add_argument(
        '--label-map',
        help='class names (<input>_label_map.json, or else the names in the records)',
    )
    parser.add_argument(
        '--like', help='COCO-format file whose categories and their ids to take over'
    )
    parser.add_argument(
        '--first-id',
        type=int,
        default=1,
        help='category id of the first class, without --like (%(default)s)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return odvg_to_coco(
        args.input,
        args.output,
        label_map=args.label_map,
        like=args.like,
        first_id=args.first_id,
    )


if __name__ == '__main__':
    sys.exit(main())
