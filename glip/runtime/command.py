"""Head of a command: arguments read, errors in one line, an exit code."""

from __future__ import annotations

import argparse
import functools
import os
import sys
import traceback
from collections.abc import Callable, Sequence

from glip.errors import GLIPError, one_line

_TRACEBACK = 'GLIP_TRACEBACK'  # environment variable that shows where errors arose
Arguments = Callable[[argparse.ArgumentParser], None]
Main = Callable[..., int]


def command(
    arguments: Arguments,
    description: str | None = None,
    *,
    stopped: str = 'stopped',
    runs_config: bool = False,
    prepare: Callable[[Sequence[str]], Sequence[str]] = list,
) -> Callable[[Callable[[argparse.Namespace], int | None]], Main]:
    """Decorator that turns a function of parsed arguments into ``main(argv=None)``.

    Args:
        arguments: Adds to a parser what the command line takes.
        description: What ``--help`` says of the command, line by line.
        stopped: Line that Ctrl-C ends with.
        runs_config: Whether the command builds and runs what a config names, which may
            raise anything: such errors become a line as well, with the place where
            they arose. ``GLIP_TRACEBACK=1`` in the environment shows the whole way.
        prepare: Changes the words of the command line before they are read.

    Returns:
        ``main``, whose result is the exit code: what the function returned (0 for
        None), 1 for a :class:`~glip.errors.GLIPError`, which becomes one line on
        standard error, and 130 for Ctrl-C.
    """

    def decorate(run: Callable[[argparse.Namespace], int | None]) -> Main:
        @functools.wraps(run)
        def main(argv: Sequence[str] | None = None) -> int:
            try:
                words = prepare(sys.argv[1:] if argv is None else argv)
                return run(read_words(arguments, words, description)) or 0
            except GLIPError as error:
                return _failed(error, one_line(error))
            except KeyboardInterrupt:
                sys.stderr.write(f'\n{stopped}\n')  # below the ^C of the terminal
                return 130
            # A config names what it likes, with values of any kind.
            except Exception as error:
                if not runs_config:
                    raise
                return _failed(error, f'{type(error).__name__}: {_placed(error)}')

        return main

    return decorate


def read_words(
    arguments: Arguments, words: Sequence[str], description: str | None = None
) -> argparse.Namespace:
    """What a command line says.

    Args:
        arguments: Adds to a parser what the command line takes.
        words: The command line.
        description: See :func:`command`.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments(parser)
    return parser.parse_args(words)


def _failed(error: Exception, message: str) -> int:
    if os.environ.get(_TRACEBACK):
        traceback.print_exception(error)
    # Ends the generators of a failed call, whose bars write until then.
    traceback.clear_frames(error.__traceback__)
    sys.stderr.write(f'error: {message}\n')
    return 1


def _placed(error: Exception) -> str:
    """The message of an error, and where it arose."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f'{"/".join(frame.filename.split(os.sep)[-2:])}, line {frame.lineno}'
    return f'{GLIPError(error)} (in {place}; {_TRACEBACK}=1 shows the way there)'
