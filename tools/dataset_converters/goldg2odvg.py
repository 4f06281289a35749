"""Convert grounding data in MDETR's layout (GoldG: Flickr30k, GQA, mixed) to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_mdetr import mdetr_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='final_mixed_train_no_coco.json or its like')
    add(
        '--out-ann',
        '--output',
        '-o',
        dest='output',
        help='records to write (<input>_vg.json beside the input)',
    )


main = conversion(__doc__, add_arguments, mdetr_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
