"""Convert Flickr30k Entities, as its authors publish it, to ODVG."""

import sys

from glip.datasets.converters.command import Add, conversion
from glip.datasets.converters.from_flickr30k import flickr30k_to_odvg


def add_arguments(add: Add) -> None:
    """Arguments of the command."""
    add('root', metavar='input', help='folder with Sentences/ and Annotations/')
    add('--output', '-o', required=True, help='records to write')
    add('--ids', help='list of the pictures wanted, such as train.txt (all)')
    add('--unrelated', help='the list UNRELATED_CAPTIONS of sentences to leave out')


main = conversion(__doc__, add_arguments, flickr30k_to_odvg)

if __name__ == '__main__':
    sys.exit(main())
