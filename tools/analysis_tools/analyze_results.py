"""Draw the pictures that a model does best and worst on."""

import argparse
import sys

from glip.config.arguments import add_cfg_options
from glip.config.flags import prepare_config
from glip.errors import DatasetError
from glip.evaluation.offline import build_dataset
from glip.evaluation.predictions import read_predictions
from glip.report.ranking import draw_best_and_worst, rank_pictures
from glip.runtime.command import command
from glip.visualization.window import picture_window


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; the flags are mmdet's."""
    add = parser.add_argument
    add('config', help='config file that the predictions were made with')
    add('prediction_path', help='.pkl file of tools/test.py --out')
    add('show_dir', help='folder to write to; good/ and bad/ are made in it')
    add('--show', action='store_true', help='also show each in a window')
    add(
        '--wait-time',
        type=float,
        default=0,
        help='seconds that a window stays; 0 waits for a key (%(default)s)',
    )
    add('--topk', type=int, default=20, help='how many of each (%(default)s)')
    add(
        '--show-score-thr',
        type=float,
        default=0,
        help='draw detections from this score on (%(default)s)',
    )
    add_cfg_options(parser, 'as tools/test.py was given it')


@command(arguments, __doc__, runs_config=True)
def main(args: argparse.Namespace) -> None:
    """Rank the pictures of a data set and draw both ends."""
    predictions = read_predictions(args.prediction_path)
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    ranked, empty = rank_pictures(predictions, build_dataset(cfg))
    if not ranked:
        raise DatasetError('none of the pictures has a box to find')
    files, trouble = draw_best_and_worst(
        ranked,
        args.show_dir,
        topk=args.topk,
        score_thr=args.show_score_thr,
        show=picture_window('results', args.wait_time) if args.show else None,
    )
    for line in trouble:
        print(f'not drawn: {line}', file=sys.stderr)
    mean = sum(one.ap for one in ranked) / len(ranked)
    print(f'{len(ranked)} pictures, mean of their AP {mean:.3f}')
    if empty:
        print(f'{empty} more have no box to find and are left out')
    print(f'written: {len(files)} pictures below {args.show_dir}')


if __name__ == '__main__':
    sys.exit(main())
