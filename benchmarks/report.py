"""Tables and a picture of what ``python -m benchmarks.compare`` has collected.

python -m benchmarks.report                           # prints the tables
python -m benchmarks.report --page docs/performance.md \
        --chart docs/pictures/performance.png
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glip.errors import ConfigError
from glip.runtime.command import command

from .compare import RESULTS
from .speed import chart, records, tables

BEGIN = '<!-- tables of benchmarks/report.py -->'
END = '<!-- end of tables -->'


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('--results', type=Path, default=RESULTS, help='what compare has collected')
    add('--page', type=Path, help='markdown page whose tables are replaced')
    add('--chart', type=Path, help='PNG of all ratios')


def replace_tables(page: Path, lines: Sequence[str]) -> None:
    """Put lines between the two marks of a page.

    Raises:
        ConfigError: The page cannot be read or has no marks.
    """
    try:
        before, rest = page.read_text().split(BEGIN)
        _, after = rest.split(END)
    except OSError as error:
        raise ConfigError(f'{page} cannot be read: {error.strerror}') from None
    except ValueError:
        raise ConfigError(f"{page} needs the lines '{BEGIN}' and '{END}'") from None
    page.write_text('\n'.join([before + BEGIN, '', *lines, '', END + after]))


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Print the tables or put them into a page; draw the chart where asked."""
    collected = records.load(args.results)
    if not collected:
        raise ConfigError(
            f'{args.results} has no results yet: run python -m benchmarks.compare'
        )
    lines = tables.report(collected)
    if args.page:
        replace_tables(args.page, lines)
    else:
        print('\n'.join(lines))
    if args.chart:
        chart.draw(collected, args.chart)


if __name__ == '__main__':
    sys.exit(main())
