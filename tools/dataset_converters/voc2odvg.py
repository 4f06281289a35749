"""Convert PASCAL VOC's XML (ImageNet's boxes, own data) to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_voc import voc_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('input', help='folder of XML files, also in subfolders')
    parser.add_argument('--output', '-o', required=True, help='records to write')
    parser.add_argument(
        '--label-map', help='class names to write (<output>_label_map.json)'
    )
    parser.add_argument(
        '--images',
        help='folder of the pictures (that of the XML, or JPEGImages beside it)',
    )
    parser.add_argument(
        '--extension',
        default='.jpg',
        help='ending of pictures whose XML does not name it (%(default)s)',
    )
    parser.add_argument(
        '--class-names',
        help='what names in the XML stand for, such as LOC_synset_mapping.txt',
    )
    parser.add_argument(
        '--first-pixel',
        type=int,
        choices=[0, 1],
        default=1,
        help='number of the first pixel: 0 in ImageNet, 1 in VOC (%(default)s)',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return voc_to_odvg(
        args.input,
        args.output,
        images=args.images,
        extension=args.extension,
        class_names=args.class_names,
        first_pixel=args.first_pixel,
        label_map=args.label_map,
    )


if __name__ == '__main__':
    sys.exit(main())
