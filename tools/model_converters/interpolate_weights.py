"""Write weights between those of a model and those fine-tuned from it (WiSE-FT)."""

import argparse
import sys

from glip.checkpoints import load_state_dict, save_state_dict
from glip.checkpoints.interpolation import interpolate
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('start', help='weights that the fine-tuning began with')
    add('end', help='weights that it ended with')
    add('dst', help='file to write; .safetensors or .pth')
    add('--share', type=float, default=0.5, help='share of the end, 0 to 1 [0.5]')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Interpolate."""
    start, end = load_state_dict(args.start), load_state_dict(args.end)
    save_state_dict(interpolate(start, end, args.share), args.dst)
    print(f'{len(end)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
