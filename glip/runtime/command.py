"""Head of a command: arguments read, errors in one line, an exit code."""

from __future__ import annotations

import argparse
import functools
import sys
import traceback
from collections.abc import Callable, Sequence

from glip.errors import GLIPError, one_line

ParseArgs = Callable[[Sequence[str] | None], argparse.Namespace]
Main = Callable[..., int]


def command(
    parse_args: ParseArgs, *, stopped: str = 'stopped'
) -> Callable[[Callable[[argparse.Namespace], int | None]], Main]:
    """Decorator that turns a function of parsed arguments into ``main(argv=None)``.

    Args:
        parse_args: Reads the command line; None stands for that of the process.
        stopped: Line that Ctrl-C ends with.

    Returns:
        ``main``, whose result is the exit code: what the function returned (0 for
        None), 1 for a :class:`~glip.errors.GLIPError`, which becomes one line on
        standard error, and 130 for Ctrl-C.
    """

    def decorate(run: Callable[[argparse.Namespace], int | None]) -> Main:
        @functools.wraps(run)
        def main(argv: Sequence[str] | None = None) -> int:
            try:
                return run(parse_args(argv)) or 0
            except GLIPError as error:
                # Ends the generators of a failed call, whose bars write until then.
                traceback.clear_frames(error.__traceback__)
                sys.stderr.write(f'error: {one_line(error)}\n')
                return 1
            except KeyboardInterrupt:
                sys.stderr.write(f'\n{stopped}\n')  # below the ^C of the terminal
                return 130

        return main

    return decorate
