"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from glip.config.options import OptionsAction


def add_cfg_options(parser: argparse.ArgumentParser, example: str) -> None:
    """Add ``--cfg-options``.

    Args:
        parser: Parser of the command.
        example: One or several of the options, shown in the help.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help=f'change the config, {example}',
    )


def read_options(words: Sequence[str]) -> dict[str, Any]:
    """Read ``key=value`` words as ``--cfg-options`` does."""
    if not words:
        return {}
    parser = argparse.ArgumentParser(prog='--cfg-option', add_help=False)
    add_cfg_options(parser, '')
    return parser.parse_args(['--cfg-options', *words]).cfg_options


def add_launcher(
    parser: argparse.ArgumentParser, purpose: str = 'what started the processes'
) -> None:
    """Add ``--launcher`` and the ``--local_rank`` that launchers set.

    Args:
        parser: Parser of the command.
        purpose: Help of ``--launcher``.
    """
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help=purpose,
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by launchers'
    )


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``."""
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='show on the console all that goes into the log file',
    )
