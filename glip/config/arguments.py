"""Arguments that several commands share."""

from __future__ import annotations

import argparse

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
