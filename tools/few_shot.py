"""Train on a few pictures of each class, on many sets, and tabulate what it gives."""

import argparse
import sys

from glip.config.arguments import add_cfg_options
from glip.config.flags import prepare_config
from glip.config.launch import work_dir_of
from glip.config.names import weights_of
from glip.models.detectors import TUNING_MODES, check_tuning
from glip.runtime.command import command
from glip.teach.few_shot.run import FewShotRun
from glip.teach.few_shot.sets import few_shot_sets
from glip.teach.few_shot.tasks import parse_shots


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('config', help='config file, or zoo name for that of a model')
    add(
        'checkpoint',
        nargs='?',
        help='weights to start from: file, address or zoo name (by default those of '
        'the zoo name)',
    )
    add(
        '--shots',
        nargs='+',
        default=['0', '1', '3', '5', '10', 'all'],
        metavar='N',
        help='pictures of each class to learn from; 0 stands for no training, all for '
        'the whole training split (0 1 3 5 10 all)',
    )
    add(
        '--tuning',
        nargs='+',
        metavar='MODE',
        default=['full'],
        help=f'what is trained: {", ".join(TUNING_MODES)} (full)',
    )
    add(
        '--seeds',
        nargs='+',
        type=int,
        default=[3, 30, 300],
        help='each draws other pictures (3 30 300, as the original)',
    )
    add(
        '--data',
        nargs='+',
        default=[],
        metavar='SET',
        help='folders in COCO format, folders of such folders, odinw13 or odinw35 (by '
        'default custom_data of the config)',
    )
    add(
        '--skip-missing',
        action='store_true',
        help='leave out sets that are not there or lack a split',
    )
    add(
        '--work-dir',
        help='folder of tasks, weights and table (work_dirs/<config name>_few_shot)',
    )
    add('--max-epochs', type=int, help='end each training after this many (200)')
    add(
        '--val-shots',
        type=int,
        metavar='N',
        help='validate on N pictures of each class instead of the whole split',
    )
    add(
        '--no-weights',
        action='store_true',
        help='delete the best weights of a task once they are tested',
    )
    add_cfg_options(parser, 'as in train_dataloader.num_workers=0')


@command(
    arguments,
    __doc__,
    runs_config=True,
    stopped='stopped: tasks that are done are kept, the same command goes on from '
    'there',
)
def main(args: argparse.Namespace) -> int:
    """Run all tasks and print the table."""
    shots = parse_shots(args.shots)
    tunings = list(dict.fromkeys(map(check_tuning, args.tuning)))
    seeds = list(dict.fromkeys(args.seeds))
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    weights = args.checkpoint or weights_of(args.config)
    sets, left_out = few_shot_sets(
        args.data, cfg.get('custom_data'), skip_missing=args.skip_missing
    )
    run = FewShotRun(
        cfg,
        weights,
        args.work_dir or f'{work_dir_of(cfg)}_few_shot',
        sets,
        max_epochs=args.max_epochs,
        val_shots=args.val_shots,
        keep_weights=not args.no_weights,
    )
    table = run.run(shots, tunings, seeds, notes=left_out)
    if table.results:
        print(table.markdown())
    return int(len(table.notes) > len(left_out))


if __name__ == '__main__':
    sys.exit(main())
