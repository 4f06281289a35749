"""Evaluate a checkpoint on the test data of a config."""

import argparse
import sys

from glip.config.arguments import add_cfg_options, add_launcher, add_verbose
from glip.config.flags import config_of_run, set_test_options
from glip.config.names import weights_of
from glip.engine.run import run_test
from glip.runtime import compiling
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file, or zoo name for that of a model')
    add(
        'checkpoint',
        nargs='?',
        help='weights: file, address or zoo name (by default those of the zoo name)',
    )
    add(
        '--prompt',
        help='tuned prompt, a file that tools/train.py --tuning prompt has written, '
        'for the words of the test data',
    )
    add('--work-dir', help='folder of logs and results (work_dirs/<config name>)')
    add('--out', help='write all predictions to this .pkl file')
    add(
        '--plots',
        nargs='?',
        const='',
        metavar='FOLDER',
        help='write precision-recall curves, the confusion matrix, AP by class and a '
        'page of the worst pictures (into work_dir/<time>/plots)',
    )
    add('--show', action='store_true', help='show every picture')
    add('--show-dir', help='save every picture here, below work_dir/<time>/')
    add('--wait-time', type=float, default=2, help='seconds that --show waits')
    add_cfg_options(parser, 'as in model.test_cfg.score_thr=0.1 or key="[a,b]"')
    add(
        '--tta',
        action='store_true',
        help='test-time augmentation: that of the config, or else three sizes, each '
        'also mirrored',
    )
    add(
        '--amp',
        action='store_true',
        help='evaluate in half precision: bfloat16 where the processor has it',
    )
    add('--compile', **compiling.FLAG)
    add(
        '--resume',
        action='store_true',
        help='go on with an evaluation in the same work directory that was stopped',
    )
    add(
        '--batch-size',
        type=int,
        help='pictures that each process loads together; no result depends on it',
    )
    add_verbose(parser)
    add_launcher(parser)


@command(
    arguments,
    __doc__,
    stopped='stopped: what was evaluated is kept, the same command with --resume goes '
    'on from there',
    runs_config=True,
)
def main(args: argparse.Namespace) -> None:
    """Evaluate by the config."""
    cfg = config_of_run(args)
    set_test_options(
        cfg,
        args.checkpoint or weights_of(args.config),
        show=args.show,
        show_dir=args.show_dir,
        wait_time=args.wait_time,
        tta=args.tta,
        resume=args.resume,
        batch_size=args.batch_size,
        amp=args.amp,
        compile=args.compile,
        prompt=args.prompt,
    )
    run_test(cfg, out=args.out, plots=args.plots)


if __name__ == '__main__':
    sys.exit(main())
