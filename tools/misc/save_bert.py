"""Write a local folder with BERT that can be given as lang_model_name."""

import argparse
import sys
from collections.abc import Sequence

from glip.checkpoints.language import PACKAGED, save_language_model
from glip.runtime.command import command


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', help='folder to write')
    parser.add_argument(
        '--source', default=PACKAGED, help='hub id or local folder (%(default)s)'
    )
    parser.add_argument(
        '--no-weights',
        action='store_true',
        help='only shape and vocabulary, for use with a GLIP checkpoint; needs no '
        f'network for {PACKAGED}',
    )
    return parser.parse_args(argv)


@command(parse_args)
def main(args: argparse.Namespace) -> None:
    """Write the folder."""
    out = save_language_model(args.out, args.source, weights=not args.no_weights)
    print(f"written to {out}; use it as lang_model_name='{out}'")


if __name__ == '__main__':
    sys.exit(main())
