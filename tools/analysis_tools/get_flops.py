"""Count the operations and parameters of a model, its prompt included."""

import argparse
import sys

from glip.config.arguments import add_cfg_options
from glip.config.flags import prepare_config
from glip.errors import ConfigError
from glip.report.complexity import (
    Complexity,
    data_complexity,
    mean_of,
    picture_complexity,
    summary,
)
from glip.runtime.command import command

_SHAPE = (800, 1333)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes; mmdet's flags of both of its scripts."""
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
    add_cfg_options(parser, 'as in model.test_cfg.chunked_size=40')


@command(arguments, __doc__, runs_config=True)
def main(args: argparse.Namespace) -> None:
    """Print operations and parameters."""
    cfg = prepare_config(args.config, cfg_options=args.cfg_options)
    if args.num_images is not None:
        if args.shape or args.texts or args.num_classes is not None:
            raise ConfigError(
                '--num-images takes pictures and prompts from the data: leave out '
                '--shape, --texts and --num-classes'
            )
        counts = data_complexity(cfg, args.num_images, device=args.device)
        _show(f'dataloader: mean of {len(counts)} pictures', mean_of(counts))
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
    counts = picture_complexity(cfg, shape=shape, text=text, device=args.device)
    _show('direct: a picture of noise', counts)


def _show(source: str, counts: Complexity) -> None:
    line = '=' * 30
    print(line, f'Compute type: {source}', *summary(counts), line, sep='\n')


if __name__ == '__main__':
    sys.exit(main())
