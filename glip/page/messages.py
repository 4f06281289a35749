"""What goes wrong, as one line in the page."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable
from typing import Any, TypeVar

from glip.errors import GLIPError, one_line
from glip.runtime.extra import require

Event = TypeVar('Event', bound=Callable[..., Any])
_SECONDS = 12


def warn(message: str) -> None:
    """Show a line for a while."""
    gradio = require('gradio', 'page')
    gradio.Warning(html.escape(message), duration=_SECONDS)


def reported(event: Event) -> Event:
    """Decorator of an event: a :class:`GLIPError` is shown, and the page stays.

    What the page showed before is not touched.
    """

    @functools.wraps(event)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return event(*args, **kwargs)
        except GLIPError as error:
            warn(one_line(error))
            return require('gradio', 'page').skip()

    return run  # type: ignore[return-value]
