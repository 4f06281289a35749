"""Convert RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_mdetr import refcoco_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add(
        'source',
        metavar='mdetr_anno_dir',
        help="MDETR's folder of finetune_refcoco_train.json and so on, one such file, "
        'or a folder of the original release with instances.json and refs(...).p',
    )
    add('--out-dir', '-o', help='folder of the records (beside their sources)')
    add(
        '--split',
        default='train',
        help='train, val, testA, testB or test (%(default)s)',
    )
    add(
        '--split-by',
        help='of the original release: unc, google or umd, where there are several',
    )


main = conversion(__doc__, add_arguments, refcoco_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
