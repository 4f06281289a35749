"""Convert Open Images' tables of boxes and class names to ODVG."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_openimages import openimages_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--input-dir',
        default='data/openimages/annotations',
        help='folder of the tables (%(default)s)',
    )
    parser.add_argument(
        '--img-prefix',
        default='train/',
        help='folder of the pictures, from where --input-dir lies (%(default)s)',
    )
    parser.add_argument(
        '--out-ann',
        '--output',
        '-o',
        dest='output',
        help='records to write (oidv6-train-annotations_od.json in --input-dir)',
    )
    parser.add_argument(
        '--boxes',
        default='oidv6-train-annotations-bbox.csv',
        help='table of boxes in --input-dir (%(default)s)',
    )
    parser.add_argument(
        '--classes',
        default='class-descriptions-boxable.csv',
        help='table of class names in --input-dir (%(default)s)',
    )
    parser.add_argument(
        '--label-map',
        help='class names to write (openimages_label_map.json beside the output)',
    )
    parser.add_argument(
        '--keep-groups',
        action='store_true',
        help='keep boxes that surround a group of things (IsGroupOf)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    folder = os.path.normpath(args.input_dir)
    default = os.path.join(folder, 'oidv6-train-annotations_od.json')
    return openimages_to_odvg(
        os.path.join(folder, args.boxes),
        os.path.join(folder, args.classes),
        os.path.join(os.path.dirname(folder), args.img_prefix),
        args.output or default,
        label_map=args.label_map,
        keep_groups=args.keep_groups,
    )


if __name__ == '__main__':
    sys.exit(main())
