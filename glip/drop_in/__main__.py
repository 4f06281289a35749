"""Run a script of mmdet or mmengine with glip imported before anything else.

``python -m glip.drop_in path/of/mmdet/tools/train.py CONFIG --work-dir ...``
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys

from glip.errors import ConfigError
from glip.runtime.command import command


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command line takes."""
    parser.prog = 'python -m glip.drop_in'
    add = parser.add_argument
    add('script', help='such as tools/train.py of mmdet')
    add('arguments', nargs=argparse.REMAINDER, help='what the script takes')


@command(arguments, __doc__)
def main(args: argparse.Namespace) -> None:
    """Run the script as Python itself would."""
    if not os.path.isfile(args.script):
        raise ConfigError(f'{args.script}: no such script')
    sys.argv = [args.script, *args.arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(args.script))
    runpy.run_path(args.script, run_name='__main__')


if __name__ == '__main__':
    sys.exit(main())
