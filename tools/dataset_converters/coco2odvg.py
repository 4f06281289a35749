"""Convert boxes of classes in COCO's layout, of any data set, to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_coco import SOURCES, coco_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='annotations (.json)')
    parser.add_argument(
        '--output', '-o', help='records to write (<input>_od.json beside the input)'
    )
    parser.add_argument(
        '--dataset',
        '-d',
        choices=sorted(SOURCES),
        default='custom',
        help='what is particular about the input: the order of labels, misspelt names, '
        'the name of the label map (%(default)s: nothing)',
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='the classes wanted, in the order of their labels (all)',
    )
    parser.add_argument(
        '--label-map',
        help='class names to write (<output>_label_map.json, or as mmdet names that '
        'of the data set, beside the output)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return coco_to_odvg(
        args.input,
        args.output,
        dataset=args.dataset,
        classes=args.classes,
        label_map=args.label_map,
    )


if __name__ == '__main__':
    sys.exit(main())
