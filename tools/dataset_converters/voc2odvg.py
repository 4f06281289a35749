"""Convert PASCAL VOC's XML (ImageNet's boxes, own data) to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_voc import voc_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('folder', metavar='input', help='folder of XML files, also in subfolders')
    add('--output', '-o', required=True, help='records to write')
    add('--label-map', help='class names to write (<output>_label_map.json)')
    add(
        '--images',
        help='folder of the pictures (that of the XML, or JPEGImages beside it)',
    )
    add(
        '--extension',
        default='.jpg',
        help='ending of pictures whose XML does not name it (%(default)s)',
    )
    add(
        '--class-names',
        help='what names in the XML stand for, such as LOC_synset_mapping.txt',
    )
    add(
        '--first-pixel',
        type=int,
        choices=[0, 1],
        default=1,
        help='number of the first pixel: 0 in ImageNet, 1 in VOC (%(default)s)',
    )


main = conversion(__doc__, add_arguments, voc_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
