"""Write weights between those of a model and those fine-tuned from it (WiSE-FT)."""

import argparse
import sys
from collections.abc import Sequence

from glip.checkpoints import load_state_dict, save_state_dict
from glip.checkpoints.interpolation import interpolate
from glip.runtime.command import command


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('start', help='weights that the fine-tuning began with')
    parser.add_argument('end', help='weights that it ended with')
    parser.add_argument('dst', help='file to write; .safetensors or .pth')
    parser.add_argument(
        '--share', type=float, default=0.5, help='share of the end, 0 to 1 [0.5]'
    )
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Interpolate."""
    start, end = load_state_dict(args.start), load_state_dict(args.end)
    save_state_dict(interpolate(start, end, args.share), args.dst)
    print(f'{len(end)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
