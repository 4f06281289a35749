"""Convert ODVG grounding records to MDETR's layout."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_odvg import odvg_to_mdetr


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='records (.json or .jsonl)')
    add('--output', '-o', help='file to write (<input>_mdetr.json beside the input)')
    add(
        '--dataset-name',
        default='flickr',
        help='what "dataset_name" of the pictures says (%(default)s)',
    )


main = conversion(__doc__, add_arguments, odvg_to_mdetr)

if __name__ == '__main__':
    sys.exit(main())
