"""Train or fine-tune a model by a config."""

import argparse
import sys
from collections.abc import Sequence

from glip.config.arguments import add_cfg_options, add_launcher, add_verbose
from glip.config.flags import config_of_run, set_training_options
from glip.engine.run import run_training
from glip.models.detectors import TUNING_MODES
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file')
    add('--work-dir', help='folder of logs and checkpoints (work_dirs/<config name>)')
    add(
        '--tuning',
        choices=TUNING_MODES,
        help='what trains: all, the last layers of the head, vectors added to the '
        'words, or the language model (the tuning of the config, else all)',
    )
    add(
        '--cache-features',
        nargs='?',
        const=True,
        metavar='FOLDER',
        help='compute what --tuning leaves frozen once per picture and keep it in this '
        'folder (work_dir/features); trains without augmentation',
    )
    add(
        '--amp',
        nargs='?',
        const='auto',
        choices=['auto', 'bf16', 'fp16'],
        help='automatic mixed precision; without a value bf16 where there is such',
    )
    add(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size',
    )
    add(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a value from the last one',
    )
    add_cfg_options(parser, 'as in model.test_cfg.score_thr=0.1 or key="[a,b]"')
    add_verbose(parser)
    add_launcher(parser)


def _with_amp_value(argv: Sequence[str]) -> list[str]:
    """Let ``--amp`` stand alone anywhere, also before the config."""
    known = ('auto', 'bf16', 'fp16')
    return [
        '--amp=auto' if word == '--amp' and after not in known else word
        for word, after in zip(argv, [*argv[1:], None], strict=False)
    ]


@command(arguments, __doc__, runs_config=True, prepare=_with_amp_value)
def main(args: argparse.Namespace) -> None:
    """Train by the config."""
    cfg = config_of_run(args)
    set_training_options(
        cfg,
        amp=args.amp,
        auto_scale_lr=args.auto_scale_lr,
        resume=args.resume,
        cache_features=args.cache_features,
    )
    run_training(cfg)


if __name__ == '__main__':
    sys.exit(main())
