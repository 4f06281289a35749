"""Convert Flickr30k Entities, as its authors publish it, to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_flickr30k import flickr30k_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='folder with Sentences/ and Annotations/')
    parser.add_argument('--output', '-o', required=True, help='records to write')
    parser.add_argument(
        '--ids', help='list of the pictures wanted, such as train.txt (all)'
    )
    parser.add_argument(
        '--unrelated', help='the list UNRELATED_CAPTIONS of sentences to leave out'
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return flickr30k_to_odvg(
        args.input,
        args.output,
        ids=args.ids,
        unrelated=args.unrelated,
    )


if __name__ == '__main__':
    sys.exit(main())
