"""Convert the annotations of LVIS to ODVG."""

import sys
from functools import partial

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_coco import coco_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='lvis_v1_train.json or its like')
    add('--output', '-o', help='records to write (<input>_od.json beside the input)')
    add(
        '--label-map',
        help='class names to write (lvis_v1_label_map.json beside the output)',
    )


main = conversion(__doc__, add_arguments, partial(coco_to_odvg, dataset='lvis'))

if __name__ == '__main__':
    sys.exit(main())
