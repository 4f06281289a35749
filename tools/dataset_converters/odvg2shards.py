"""Pack ODVG records and their pictures into tar files that training streams."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.result import Result
from glip.datasets.converters.to_shards import odvg_to_shards


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='records (.json or .jsonl)')
    parser.add_argument(
        'pictures', help='folder that the file names in the records start from'
    )
    parser.add_argument(
        '--out-dir', '-o', required=True, help='folder of the tar files'
    )
    parser.add_argument(
        '--name', default='train', help='begin of their names (%(default)s)'
    )
    parser.add_argument(
        '--shard-size',
        type=int,
        default=10_000,
        help='records in each file (%(default)s)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return odvg_to_shards(
        args.input,
        args.pictures,
        args.out_dir,
        name=args.name,
        shard_size=args.shard_size,
    )


if __name__ == '__main__':
    sys.exit(main())
