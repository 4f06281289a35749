"""Head of every converter's command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from glip.datasets.converters.result import Result
from glip.runtime.command import Main, ParseArgs, command

Convert = Callable[[argparse.Namespace], Result | list[Result]]


def conversion(parse_args: ParseArgs) -> Callable[[Convert], Main]:
    """:func:`~glip.runtime.command.command` that reports the results of a conversion.

    Args:
        parse_args: Reads the command line.

    Returns:
        Decorator of a function from parsed arguments to what was written.
    """

    def decorate(convert: Convert) -> Main:
        @command(parse_args, stopped='stopped; nothing was written')
        def main(args: argparse.Namespace) -> None:
            results = convert(args)
            for result in results if isinstance(results, list) else [results]:
                sys.stdout.write('\n'.join(result.lines()) + '\n')

        return main

    return decorate
