"""Give the phrases of COCO's captions COCO's boxes, as ODVG."""

import sys

from glip.datasets.converters.coco_captions import coco_captions_to_odvg
from glip.datasets.converters.command import Add, conversion


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('instances', help='instances_*.json')
    add('captions', help='captions_*.json of the same pictures')
    add('--output', '-o', required=True, help='records to write')


main = conversion(__doc__, add_arguments, coco_captions_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
