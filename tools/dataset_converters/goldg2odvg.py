"""Convert grounding data in MDETR's layout (GoldG: Flickr30k, GQA, mixed) to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_mdetr import mdetr_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='final_mixed_train_no_coco.json or its like')
    parser.add_argument(
        '--out-ann',
        '--output',
        '-o',
        dest='output',
        help='records to write (<input>_vg.json beside the input)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return mdetr_to_odvg(args.input, args.output)


if __name__ == '__main__':
    sys.exit(main())
