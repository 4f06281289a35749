"""Train or fine-tune a model by a config."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from mmengine.config import DictAction

from glip.config.flags import prepare_config, set_training_options
from glip.engine.run import run_training
from glip.errors import GLIPError, one_line


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir', help='folder of logs and checkpoints (work_dirs/<config name>)'
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=['auto', 'bf16', 'fp16'],
        help='automatic mixed precision; without a value bf16 where there is such',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='go on from this checkpoint; without a value from the last one',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config, as in model.test_cfg.score_thr=0.1 or key="[a,b]"',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help='set by launchers'
    )
    return parser.parse_args(_with_amp_value(sys.argv[1:] if argv is None else argv))


def _with_amp_value(argv: Sequence[str]) -> list[str]:
    """Let ``--amp`` stand alone anywhere, also before the config."""
    known = ('auto', 'bf16', 'fp16')
    return [
        '--amp=auto' if word == '--amp' and after not in known else word
        for word, after in zip(argv, [*argv[1:], None], strict=False)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    try:
        cfg = prepare_config(
            args.config,
            work_dir=args.work_dir,
            cfg_options=args.cfg_options,
            launcher=args.launcher,
        )
        set_training_options(
            cfg,
            amp=args.amp,
            auto_scale_lr=args.auto_scale_lr,
            resume=args.resume,
        )
        run_training(cfg)
    except GLIPError as error:
        print(f'error: {one_line(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
