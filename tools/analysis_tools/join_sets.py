"""Join the tables of several evaluations, such as of sets fine-tuned on one by one."""

import argparse
import sys

from glip.evaluation.set_table import joined, read_table
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add(
        'runs',
        nargs='+',
        help='sets.json of tools/test.py, or work directories, of which the latest '
        'counts',
    )
    add('--out', metavar='FOLDER', help='write sets.md, sets.csv and sets.json here')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Print the joined table, and write it where asked."""
    table = joined([read_table(run) for run in args.runs])
    print(table.markdown())
    if args.out:
        print(f'written: {", ".join(map(str, table.write(args.out)))}')


if __name__ == '__main__':
    sys.exit(main())
