"""``python -m glip`` is the command ``glip``."""

import sys

from glip.cli.app import main

if __name__ == '__main__':
    sys.exit(main())
