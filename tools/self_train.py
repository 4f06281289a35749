"""Let a model label captions for its student, round after round, by a config."""

import argparse
import sys

from glip.config.arguments import add_cfg_options, add_launcher
from glip.config.flags import config_of_run
from glip.runtime.command import command
from glip.teach.self_training import self_train


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file with self_training=dict(...)')
    add(
        '--work-dir',
        help='folder of models, labels and tables (work_dirs/<config name>); the same '
        'one goes on with what was stopped',
    )
    add('--amp', action='store_true', help='automatic mixed precision in all stages')
    add_cfg_options(parser, 'as in self_training.rounds=3')
    add_launcher(parser)


@command(
    arguments,
    __doc__,
    runs_config=True,
    stopped='stopped: what is done is kept, and the same command goes on from there',
)
def main(args: argparse.Namespace) -> None:
    """Go through the rounds of the config."""
    self_train(config_of_run(args), amp=args.amp)


if __name__ == '__main__':
    sys.exit(main())
