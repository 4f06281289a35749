"""Convert the objects of Visual Genome to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_visual_genome import visual_genome_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('objects', help='objects.json')
    parser.add_argument('image_data', help='image_data.json')
    parser.add_argument('--output', '-o', required=True, help='records to write')
    parser.add_argument(
        '--label-map', help='class names to write (<output>_label_map.json)'
    )
    parser.add_argument(
        '--num-classes',
        type=int,
        default=1600,
        help='how many of the most frequent names become classes (%(default)s)',
    )
    parser.add_argument(
        '--exclude-coco',
        action='store_true',
        help='leave out the pictures that COCO has as well',
    )
    parser.add_argument(
        '--flat',
        action='store_true',
        help='pictures lie in one folder, not in VG_100K/ and VG_100K_2/',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return visual_genome_to_odvg(
        args.objects,
        args.image_data,
        args.output,
        num_classes=args.num_classes,
        exclude_coco=args.exclude_coco,
        flat=args.flat,
        label_map=args.label_map,
    )


if __name__ == '__main__':
    sys.exit(main())
