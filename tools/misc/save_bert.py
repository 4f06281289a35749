"""Write a local folder with BERT that can be given as lang_model_name."""

import argparse
import sys

from glip.checkpoints.language import PACKAGED, save_language_model
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    add = parser.add_argument
    add('out', help='folder to write')
    add('--source', default=PACKAGED, help='hub id or local folder (%(default)s)')
    add(
        '--no-weights',
        action='store_true',
        help='only shape and vocabulary, for use with a GLIP checkpoint; needs no '
        f'network for {PACKAGED}',
    )


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Write the folder."""
    out = save_language_model(args.out, args.source, weights=not args.no_weights)
    print(f"written to {out}; use it as lang_model_name='{out}'")


if __name__ == '__main__':
    sys.exit(main())
