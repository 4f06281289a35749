"""Convert boxes of classes in COCO's layout, of any data set, to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_coco import SOURCES, coco_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='annotations (.json)')
    add('--output', '-o', help='records to write (<input>_od.json beside the input)')
    add(
        '--dataset',
        '-d',
        choices=sorted(SOURCES),
        default='custom',
        help='what is particular about the input: the order of labels, misspelt names, '
        'the name of the label map (%(default)s: nothing)',
    )
    add(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='the classes wanted, in the order of their labels (all)',
    )
    add(
        '--label-map',
        help='class names to write (<output>_label_map.json, or as mmdet names that '
        'of the data set, beside the output)',
    )


main = conversion(__doc__, add_arguments, coco_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
