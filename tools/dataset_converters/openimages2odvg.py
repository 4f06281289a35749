"""Convert Open Images' tables of boxes and class names to ODVG."""

import os
import sys
from typing import Any

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_openimages import openimages_to_odvg
from glip.datasets.converters.result import Result


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add(
        '--input-dir',
        default='data/openimages/annotations',
        help='folder of the tables (%(default)s)',
    )
    add(
        '--img-prefix',
        default='train/',
        help='folder of the pictures, from where --input-dir lies (%(default)s)',
    )
    add(
        '--out-ann',
        '--output',
        '-o',
        dest='output',
        help='records to write (oidv6-train-annotations_od.json in --input-dir)',
    )
    add(
        '--boxes',
        default='oidv6-train-annotations-bbox.csv',
        help='table of boxes in --input-dir (%(default)s)',
    )
    add(
        '--classes',
        default='class-descriptions-boxable.csv',
        help='table of class names in --input-dir (%(default)s)',
    )
    add(
        '--label-map',
        help='class names to write (openimages_label_map.json beside the output)',
    )
    add(
        '--keep-groups',
        action='store_true',
        help='keep boxes that surround a group of things (IsGroupOf)',
    )


def convert(
    input_dir: str,
    img_prefix: str,
    output: str | None,
    boxes: str,
    classes: str,
    **options: Any,
) -> Result:
    """Convert the tables of a folder."""
    folder = os.path.normpath(input_dir)
    return openimages_to_odvg(
        os.path.join(folder, boxes),
        os.path.join(folder, classes),
        os.path.join(os.path.dirname(folder), img_prefix),
        output or os.path.join(folder, 'oidv6-train-annotations_od.json'),
        **options,
    )


main = conversion(__doc__, add_arguments, convert)

if __name__ == '__main__':
    sys.exit(main())
