"""Convert the objects of Visual Genome to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_visual_genome import visual_genome_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('objects', help='objects.json')
    add('image_data', help='image_data.json')
    add('--output', '-o', required=True, help='records to write')
    add('--label-map', help='class names to write (<output>_label_map.json)')
    add(
        '--num-classes',
        type=int,
        default=1600,
        help='how many of the most frequent names become classes (%(default)s)',
    )
    add(
        '--exclude-coco',
        action='store_true',
        help='leave out the pictures that COCO has as well',
    )
    add(
        '--flat',
        action='store_true',
        help='pictures lie in one folder, not in VG_100K/ and VG_100K_2/',
    )


main = conversion(__doc__, add_arguments, visual_genome_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
