"""Join the tables of several evaluations, such as of sets fine-tuned on one by one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.errors import GLIPError, one_line
from glip.evaluation.set_table import joined, read_table


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    try:
        table = joined([read_table(run) for run in args.runs])
        print(table.markdown())
        if args.out:
            print(f'written: {", ".join(map(str, table.write(args.out)))}')
    except GLIPError as error:
        print(f'error: {one_line(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
