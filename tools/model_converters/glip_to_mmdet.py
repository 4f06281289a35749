"""Convert weights of the original GLIP to mmdet's names, which this project uses."""

import argparse
import sys
from collections.abc import Sequence

from glip.checkpoints import load_state_dict, save_state_dict
from glip.runtime.command import command


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='file of any layout, zoo name or URL')
    parser.add_argument('dst', help='file to write; .safetensors or .pth')
    parser.add_argument(
        '--half', action='store_true', help='store floating-point weights in 16 bits'
    )
    parser.add_argument(
        '--int8-embeddings',
        action='store_true',
        help='store word embeddings in 8 bits with a scale per row',
    )
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Write the weights under mmdet's names."""
    state = load_state_dict(args.src)
    save_state_dict(
        state, args.dst, half=args.half, int8_embeddings=args.int8_embeddings
    )
    print(f'{len(state)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
