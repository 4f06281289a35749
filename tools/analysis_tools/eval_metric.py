"""Evaluate the predictions that tools/test.py --out wrote, without the model."""

import argparse
import sys
from collections.abc import Mapping

from glip.config.arguments import add_cfg_options
from glip.config.flags import prepare_config
from glip.evaluation.offline import build_dataset, evaluate_predictions
from glip.evaluation.predictions import read_predictions
from glip.report.plots import write_plots
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; mmdet's flags and --plots."""
    add = parser.add_argument
    add('config', help='config file that the predictions were made with')
    add('pkl_results', help='.pkl file of tools/test.py --out')
    add('--plots', metavar='FOLDER', help='also write curves, tables and pages here')
    add_cfg_options(parser, 'as in test_evaluator.classwise=True')


@command(arguments, __doc__, runs_config=True)
def main(args: argparse.Namespace) -> None:
    """Print the metrics of predictions."""
    predictions = read_predictions(args.pkl_results)
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    dataset = build_dataset(cfg)
    print(evaluate_predictions(cfg, predictions, dataset))
    if args.plots:
        evaluator = cfg.get('test_evaluator')
        is_joined = isinstance(evaluator, Mapping)
        names = evaluator.get('dataset_prefixes') if is_joined else None
        for file in write_plots(predictions, dataset, args.plots, names=names):
            print(f'written: {file}')


if __name__ == '__main__':
    sys.exit(main())
