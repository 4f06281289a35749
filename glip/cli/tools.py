"""The tools of the repository as subcommands, with the flags they have."""

from __future__ import annotations

import runpy
import sys
from typing import Any

import typer

from glip.errors import GLIPError
from glip.paths import tool_path

# Subcommand and file below tools/.
NAMES = {
    'test': 'test.py',
    'few-shot': 'few_shot.py',
    'pseudo-label': 'pseudo_label.py',
    'self-train': 'self_train.py',
}
_ANY = {'allow_extra_args': True, 'ignore_unknown_options': True}
_HELP = {
    'test': 'Evaluate weights on the test data of a config.',
    'few-shot': 'Train on a handful of pictures per class, and compare.',
    'pseudo-label': 'Let a model write boxes for captions or class names.',
    'self-train': 'Rounds of labelling and training on the labels.',
}


def add_tool(app: typer.Typer, name: str) -> None:
    """Add a tool as a subcommand, which hands all words on.

    Args:
        app: Gets the command.
        name: One of ``NAMES``.
    """

    @app.command(name, context_settings=_ANY, add_help_option=False, help=_HELP[name])
    def run(context: typer.Context) -> int:
        return run_tool(name, context.args)


def run_tool(name: str, words: list[str]) -> int:
    """Run a tool as ``python tools/<file>`` does.

    Returns:
        Its exit code.

    Raises:
        GLIPError: This installation does not carry it.
    """
    path = tool_path(NAMES[name])
    if not path.is_file():
        raise GLIPError(f'glip {name}: {path} is not there; install glip anew')
    program = sys.argv[0]
    sys.argv[0] = f'glip {name}'  # what the usage line says
    try:
        main: Any = runpy.run_path(str(path), run_name=f'glip_tool_{path.stem}')['main']
        return main(words)
    except SystemExit as error:  # argparse, after --help or a wrong flag
        return error.code if isinstance(error.code, int) else 2
    finally:
        sys.argv[0] = program
