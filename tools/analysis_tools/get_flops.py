"""Count the operations and parameters of a model, its prompt included."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from mmengine.config import DictAction

from glip.config.flags import prepare_config
from glip.errors import ConfigError, GLIPError, one_line
from glip.report.complexity import (
    data_complexity,
    mean_of,
    picture_complexity,
    summary,
)

_SHAPE = (800, 1333)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; mmdet's flags of both of its scripts."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('config', help='config file')
    add(
        '--shape',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help='height and width of a picture of noise, or one number for both '
        f'(default: {_SHAPE[0]} {_SHAPE[1]})',
    )
    add(
        '--num-images',
        type=int,
        help='instead take the mean over so many pictures of the test data, with the '
        'prompts they come with',
    )
    add(
        '--texts',
        help="prompt of the picture of noise, as in 'bench. car' (COCO's 80 classes)",
    )
    add('--num-classes', type=int, help='instead a prompt of so many classes')
    add('--device', help='cpu, cuda, ... (cuda where there is one)')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='change the config, as in model.test_cfg.chunked_size=40',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Do what the command line says.

    Raises:
        GLIPError: Something is wrong that the user can mend.
    """
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    if args.num_images is not None:
        if args.shape or args.texts or args.num_classes is not None:
            raise ConfigError(
                '--num-images takes pictures and prompts from the data: leave out '
                '--shape, --texts and --num-classes'
            )
        counts = data_complexity(cfg, args.num_images, device=args.device)
        line = '=' * 30
        print(f'{line}\nCompute type: dataloader: mean of {len(counts)} pictures')
        print('\n'.join(summary(mean_of(counts))), line, sep='\n')
        return
    shape = tuple(args.shape or _SHAPE)
    if len(shape) == 1:
        shape *= 2
    text = args.texts or '$: coco'
    if args.num_classes is not None:
        if args.texts or args.num_classes < 1:
            raise ConfigError('--num-classes is a number from 1 on, without --texts')
        # Two tokens for a name are about what detection data has.
        text = [f'name {i}' for i in range(args.num_classes)]
    complexity = picture_complexity(cfg, shape=shape, text=text, device=args.device)
    line = '=' * 30
    print(f'{line}\nCompute type: direct: a picture of noise')
    print('\n'.join(summary(complexity)), line, sep='\n')


def main(argv: Sequence[str] | None = None) -> int:
    """Run, turning errors that a user can mend into one line."""
    args = parse_args(argv)
    try:
        run(args)
    except GLIPError as error:
        print(f'error: {one_line(error)}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
