"""Give the phrases of COCO's captions COCO's boxes, as ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.coco_captions import coco_captions_to_odvg
from glip.datasets.converters.command import conversion
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('instances', help='instances_*.json')
    parser.add_argument('captions', help='captions_*.json of the same pictures')
    parser.add_argument('--output', '-o', required=True, help='records to write')
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> Result:
    """Convert what the command line names."""
    return coco_captions_to_odvg(args.instances, args.captions, args.output)


if __name__ == '__main__':
    sys.exit(main())
