"""Convert ODVG detection records to COCO's layout."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_odvg import odvg_to_coco


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='records (.json or .jsonl)')
    add('--output', '-o', help='file to write (<input>_coco.json beside the input)')
    add(
        '--label-map',
        help='class names (<input>_label_map.json, or else the names in the records)',
    )
    add('--like', help='COCO-format file whose categories and their ids to take over')
    add(
        '--first-id',
        type=int,
        default=1,
        help='category id of the first class, without --like (%(default)s)',
    )


main = conversion(__doc__, add_arguments, odvg_to_coco)

if __name__ == '__main__':
    sys.exit(main())
