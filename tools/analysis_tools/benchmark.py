"""Measure the speed of a model, of its data loader, or of its pipeline."""

import argparse
import os
import sys

from glip.config.arguments import add_cfg_options, add_launcher
from glip.config.flags import prepare_config
from glip.errors import ConfigError
from glip.report.speed import TASKS, Plan, Speed, SpeedTest, overall
from glip.runtime import compiling
from glip.runtime.command import command
from glip.runtime.writing import make_folder, writing_to


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; the flags are mmdet's."""
    add = parser.add_argument
    add('config', help='config file')
    add('--checkpoint', help='weights: file, address or zoo name')
    add('--task', choices=TASKS, default='dataloader', help='what (%(default)s)')
    add('--repeat-num', type=int, default=1, help='runs to average (%(default)s)')
    add(
        '--max-iter',
        type=int,
        default=2000,
        help='pictures or batches per run, if there are so many (%(default)s)',
    )
    add('--log-interval', type=int, default=50, help='lines (every %(default)s)')
    add(
        '--num-warmup',
        type=int,
        default=5,
        help='how many at the beginning do not count (%(default)s)',
    )
    add('--fuse-conv-bn', action='store_true', help='fold batch norms')
    add('--compile', **compiling.FLAG)
    add(
        '--dataset-type',
        choices=['train', 'val', 'test'],
        default='test',
        help='whose data; inference takes that of the test (%(default)s)',
    )
    add('--work-dir', help='folder for benchmark.log; without, none is written')
    add('--device', help='cpu, cuda, ... (cuda where there is one)')
    add_cfg_options(parser, 'as in test_dataloader.num_workers=4')
    add_launcher(parser, 'accepted for old commands; one process is measured')


@command(arguments, __doc__, runs_config=True)
def main(args: argparse.Namespace) -> None:
    """Measure as often as asked and print the mean."""
    if args.repeat_num < 1:
        raise ConfigError(f'--repeat-num must be at least 1, not {args.repeat_num}')
    if args.task == 'inference' and not args.checkpoint:
        raise ConfigError('--task inference needs --checkpoint')
    plan = Plan(args.max_iter, args.log_interval, args.num_warmup)
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    lines: list[str] = []

    def say(line: str) -> None:
        if int(os.environ.get('RANK', 0)) == 0:
            print(line, flush=True)
        lines.append(line)

    test = SpeedTest(cfg, plan, say)

    def once() -> Speed:
        if args.task == 'inference':
            return test.inference(
                args.checkpoint,
                fuse_conv_bn=args.fuse_conv_bn,
                device=args.device,
                compile=dict(mode=args.compile) if args.compile else False,
            )
        return getattr(test, args.task)(args.dataset_type)

    say(overall([once() for _ in range(args.repeat_num)]))
    if args.work_dir:
        with writing_to(args.work_dir):
            folder = make_folder(args.work_dir)
            (folder / 'benchmark.log').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    sys.exit(main())
