"""Convert ODVG grounding records to MDETR's layout."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_odvg import odvg_to_mdetr
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='records (.json or .jsonl)')
    parser.add_argument(
        '--output', '-o', help='file to write (<input>_mdetr.json beside the input)'
    )
    parser.add_argument(
        '--dataset-name',
        default='flickr',
        help='what "dataset_name" of the pictures says (%(default)s)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return odvg_to_mdetr(args.input, args.output, dataset_name=args.dataset_name)


if __name__ == '__main__':
    sys.exit(main())
