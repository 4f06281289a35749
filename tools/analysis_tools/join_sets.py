"""Join the tables of several evaluations, such as of sets fine-tuned on one by one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.evaluation.set_table import joined, read_table
from glip.runtime.command import command


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'runs',
        nargs='+',
        help='sets.json of tools/test.py, or work directories, of which the latest '
        'counts',
    )
    parser.add_argument(
        '--out', metavar='FOLDER', help='write sets.md, sets.csv and sets.json here'
    )
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Print the joined table, and write it where asked."""
    table = joined([read_table(run) for run in args.runs])
    print(table.markdown())
    if args.out:
        print(f'written: {", ".join(map(str, table.write(args.out)))}')


if __name__ == '__main__':
    sys.exit(main())
