"""Convert weights of the original GLIP to mmdet's names, which this project uses."""

import argparse
import sys

from glip.checkpoints import load_state_dict, save_state_dict
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('src', help='file of any layout, zoo name or URL')
    add('dst', help='file to write; .safetensors or .pth')
    add('--half', action='store_true', help='store floating-point weights in 16 bits')
    add(
        '--int8-embeddings',
        action='store_true',
        help='store word embeddings in 8 bits with a scale per row',
    )


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Write the weights under mmdet's names."""
    state = load_state_dict(args.src)
    save_state_dict(
        state, args.dst, half=args.half, int8_embeddings=args.int8_embeddings
    )
    print(f'{len(state)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
