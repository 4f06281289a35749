"""Pack ODVG records and their pictures into tar files that training streams."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import run
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    return run(
        odvg_to_shards,
        args.input,
        args.pictures,
        args.out_dir,
        name=args.name,
        shard_size=args.shard_size,
    )


if __name__ == '__main__':
    sys.exit(main())
