"""What every converter's command does around its conversion."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from glip.datasets.converters.result import Result
from glip.errors import GLIPError, one_line


def run(
    convert: Callable[..., Result | list[Result]], *args: Any, **kwargs: Any
) -> int:
    """Convert, and report what was written and what was left out.

    Args:
        convert: Given ``args`` and ``kwargs``.

    Returns:
        The exit code: 0, 1 for an error that the user can mend, 130 for Ctrl-C.
    """
    try:
        results = convert(*args, **kwargs)
    except GLIPError as error:
        sys.stderr.write(f'error: {one_line(error)}\n')
        return 1
    except KeyboardInterrupt:
        sys.stderr.write('\nstopped; nothing was written\n')
        return 130
    for result in results if isinstance(results, list) else [results]:
        sys.stdout.write('\n'.join(result.lines()) + '\n')
    return 0
