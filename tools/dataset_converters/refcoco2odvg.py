"""Convert RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO to ODVG."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from glip.datasets.converters.command import conversion
from glip.datasets.converters.from_mdetr import refcoco_to_odvg
from glip.datasets.converters.result import Result


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'mdetr_anno_dir',
        help="MDETR's folder of finetune_refcoco_train.json and so on, one such file, "
        'or a folder of the original release with instances.json and refs(...).p',
    )
    parser.add_argument(
        '--out-dir', '-o', help='folder of the records (beside their sources)'
    )
    parser.add_argument(
        '--split',
        default='train',
        help='train, val, testA, testB or test (%(default)s)',
    )
    parser.add_argument(
        '--split-by',
        help='of the original release: unc, google or umd, where there are several',
    )
    return parser.parse_args(argv)


@conversion(parse_args)
def main(args: argparse.Namespace) -> list[Result]:
    """Convert what the command line names."""
    return refcoco_to_odvg(
        args.mdetr_anno_dir,
        args.out_dir,
        split=args.split,
        split_by=args.split_by,
    )


if __name__ == '__main__':
    sys.exit(main())
