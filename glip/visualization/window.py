"""Window that shows one picture after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def picture_window(name: str, seconds: float) -> Callable[[Any, str], None] | None:
    """Open a window, where there is a display.

    Args:
        name: Name of the window.
        seconds: How long each picture stays; 0 waits for a key.

    Returns:
        Function that shows an image (H, W, 3) under a title; None, after a line on
        standard error, where there is no display.
    """
    has_display = sys.platform in ('darwin', 'win32') or any(
        os.environ.get(key) for key in ('DISPLAY', 'WAYLAND_DISPLAY')
    )
    if not has_display:
        sys.stderr.write('no display to show windows on; files are written\n')
        return None
    import matplotlib.pyplot as plt

    figure = plt.figure(name)

    def show(image: Any, title: str) -> None:
        figure.clear()
        axes = figure.add_subplot()
        axes.imshow(image)
        axes.set_title(title)
        axes.axis('off')
        figure.tight_layout()
        plt.show(block=False)
        if seconds > 0:
            plt.pause(seconds)
        else:
            plt.waitforbuttonpress()

    return show
