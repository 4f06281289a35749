"""Pack ODVG records and their pictures into tar files that training streams."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.to_shards import odvg_to_shards


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('path', metavar='input', help='records (.json or .jsonl)')
    add('pictures', help='folder that the file names in the records start from')
    add('--out-dir', '-o', required=True, help='folder of the tar files')
    add('--name', default='train', help='begin of their names (%(default)s)')
    add(
        '--shard-size',
        type=int,
        default=10_000,
        help='records in each file (%(default)s)',
    )


main = conversion(__doc__, add_arguments, odvg_to_shards)

if __name__ == '__main__':
    sys.exit(main())
