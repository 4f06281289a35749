"""How maps are cut into tiles of shifted windows."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from glip.ops.cpu.tiles import TILE_ROWS
from glip.ops.windows import pattern_of_windows


class WindowTile(NamedTuple):
    """Some windows over a map whose pixels are rows, shape (H*W, C).

    Attributes:
        rows: Rows of the positions that are no padding, (N,).
        inside: Which positions of the windows, one after the other, those are, (N,).
        padding: The other positions, or None where there are none.
        pattern: Which of :func:`glip.ops.windows.shift_patterns` holds in each window,
            (windows,), or None where it is the first in all, which hides nothing.
    """

    rows: Tensor
    inside: Tensor
    padding: Tensor | None
    pattern: Tensor | None


@lru_cache(maxsize=64)
def window_tiles(
    height: int, width: int, window: int, shift: int
) -> tuple[WindowTile, ...]:
    """Windows of a map that is padded to whole windows, then rolled by the shift.

    Args:
        height: Rows of the map.
        width: Columns of the map.
        window: Side of a window in positions.
        shift: Positions that windows are moved down and to the right.

    Returns:
        Tiles that hold every pixel once, on the CPU; kept for the sizes used last.
    """
    # Tensors made in inference mode could not be used in a training to come.
    with torch.inference_mode(False):
        down, across = -(-height // window), -(-width // window)
        row = (torch.arange(down * window) + shift) % (down * window)
        column = (torch.arange(across * window) + shift) % (across * window)
        positions = row[:, None] * width + column
        positions[row >= height] = -1
        positions[:, column >= width] = -1
        positions = (
            positions.view(down, window, across, window).transpose(1, 2).flatten(2)
        )
        positions = positions.reshape(down * across, -1)
        pattern = pattern_of_windows(down, across)
        tiles = -(-positions.numel() // TILE_ROWS)
        count = -(-len(positions) // tiles)
        return tuple(
            _tile(rows.flatten(), patterns if shift else None)
            for rows, patterns in zip(
                positions.split(count), pattern.split(count), strict=True
            )
        )


def _tile(positions: Tensor, pattern: Tensor | None) -> WindowTile:
    if pattern is not None and not pattern.any():
        pattern = None
    inside, padding = (positions >= 0).nonzero()[:, 0], (positions < 0).nonzero()[:, 0]
    return WindowTile(
        positions[inside], inside, padding if len(padding) else None, pattern
    )
