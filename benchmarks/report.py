"""Tables and a picture of what ``python -m benchmarks.compare`` has collected.

python -m benchmarks.report                           # prints the tables
python -m benchmarks.report --page docs/performance.md \
        --chart docs/pictures/performance.png
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glip.errors import ConfigError, GLIPError, one_line

from .compare import RESULTS
from .speed import chart, records, tables

BEGIN = '<!-- tables of benchmarks/report.py -->'
END = '<!-- end of tables -->'


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('--results', type=Path, default=RESULTS, help='what compare has collected')
    add('--page', type=Path, help='markdown page whose tables are replaced')
    add('--chart', type=Path, help='PNG of all ratios')
    return parser.parse_args(argv)


def replace_tables(page: Path, lines: Sequence[str]) -> None:
    """Put lines between the two marks of a page.

    Raises:
        ConfigError: The page cannot be read or has no marks.
    """
    try:
        text = page.read_text()
    except OSError as error:
        raise ConfigError(f'{page} cannot be read: {error.strerror}') from None
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{page} needs the lines '{BEGIN}' and '{END}'")
    page.write_text('\n'.join([before + BEGIN, '', *lines, '', END + after]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    try:
        found = records.load(args.results)
        if not found:
            raise ConfigError(
                f'{args.results} has no results yet: run python -m benchmarks.compare'
            )
        lines = tables.report(found)
        if args.page:
            replace_tables(args.page, lines)
        else:
            print('\n'.join(lines))
        if args.chart:
            chart.draw(found, args.chart)
    except GLIPError as error:
        print(f'error: {one_line(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
