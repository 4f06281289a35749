"""A converter's command: its arguments, the conversion, and what was written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from glip.datasets.converters.result import Result
from glip.runtime.command import Main, command

Add = Callable[..., Any]  # argparse's ``add_argument``


def conversion(
    description: str | None,
    add_arguments: Callable[[Add], None],
    convert: Callable[..., Result | list[Result]],
) -> Main:
    """``main(argv=None)`` of a command that converts and reports what was written.

    Args:
        description: What it does.
        add_arguments: Called with a parser's ``add_argument``.
        convert: Given the arguments by name.

    Returns:
        ``main``, as :func:`glip.runtime.command.command` makes it.
    """

    def arguments(parser: argparse.ArgumentParser) -> None:
        add_arguments(parser.add_argument)

    @command(arguments, description, stopped='stopped; nothing was written')
    def main(args: argparse.Namespace) -> None:
        results = convert(**vars(args))
        for result in results if isinstance(results, list) else [results]:
            sys.stdout.write('\n'.join(result.lines()) + '\n')

    return main
