"""The command ``glip`` and its subcommands."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from glip.cli import check, detect, export, label, models, page, serve, tools, train
from glip.errors import GLIPError, one_line

_STOPPED = 130  # exit code of a program that Ctrl-C ended

app = typer.Typer(
    name='glip',
    help='Words in, boxes out: detect, label and train with GLIP.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command('detect')(detect.detect)
app.command('label')(label.label)
app.command('train')(train.train)
for _name in tools.NAMES:
    tools.add_tool(app, _name)
app.command('page')(page.page)
app.command('export')(export.export)
app.command('serve')(serve.serve)
app.command('models')(models.models)
app.command('check')(check.check)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns:
        0, or 1 after a line that says what is wrong, 2 for a wrong command line, 130
        for Ctrl-C.
    """
    try:
        result = app(
            args=None if argv is None else list(argv),
            standalone_mode=False,
            prog_name='glip',
        )
    except GLIPError as error:
        sys.stderr.write(f'error: {one_line(error)}\n')
        return 1
    except (KeyboardInterrupt, typer.Abort):
        result = _STOPPED
    except Exception as error:  # noqa: BLE001 (typer brings a click of its own)
        show = getattr(error, 'show', None)
        if show is None:
            raise
        show()
        return getattr(error, 'exit_code', 2)
    if result == _STOPPED:  # which newer typers turn Ctrl-C into, without a word
        sys.stderr.write('\nstopped\n')
    return result if isinstance(result, int) else 0
