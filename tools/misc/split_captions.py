"""Split captioned pictures: boxes for some, only captions for the rest."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.split_captions import split_captions


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('instances', help='instances_*.json')
    add('captions', help='captions_*.json of the same pictures')
    add('--labelled', type=int, required=True, help='pictures that keep their boxes')
    add('--seed', type=int, default=0, help='of the draw (0)')
    add(
        *('--output', '-o'),
        dest='out_dir',
        metavar='OUTPUT',
        required=True,
        help='folder to write into',
    )


main = conversion(__doc__, add_arguments, split_captions)

if __name__ == '__main__':
    sys.exit(main())
