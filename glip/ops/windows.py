"""How maps are cut into shifted windows: which pixels meet, and which stay apart."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from .tiles import TILE_ROWS


class WindowTile(NamedTuple):
    """Some windows over a map whose pixels are rows, shape (H*W, C).

    Attributes:
        rows: Rows of the positions that are no padding, (N,).
        inside: Which positions of the windows, one after the other, those are, (N,).
        padding: The other positions, or None where there are none.
        pattern: Which of :func:`shift_patterns` holds in each window, (windows,), or
            None where it is the first in all, which hides nothing.
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
        place = row[:, None] * width + column
        place[row >= height] = -1
        place[:, column >= width] = -1
        place = place.view(down, window, across, window).transpose(1, 2).flatten(2)
        place = place.reshape(down * across, -1)
        pattern = _pattern_of_windows(down, across)
        tiles = -(-place.numel() // TILE_ROWS)
        count = -(-len(place) // tiles)
        return tuple(
            _tile(rows.flatten(), patterns if shift else None)
            for rows, patterns in zip(
                place.split(count), pattern.split(count), strict=True
            )
        )


def _tile(place: Tensor, pattern: Tensor | None) -> WindowTile:
    if pattern is not None and not pattern.any():
        pattern = None
    inside, padding = (place >= 0).nonzero()[:, 0], (place < 0).nonzero()[:, 0]
    return WindowTile(place[inside], inside, padding if len(padding) else None, pattern)


def _pattern_of_windows(
    down: int, across: int, device: torch.device | None = None
) -> Tensor:
    """Only the last window of a row or column holds what the shift wraps."""
    last_row = 2 * (torch.arange(down, device=device) == down - 1).long()
    last_column = (torch.arange(across, device=device) == across - 1).long()
    return (last_row[:, None] + last_column).flatten()


def _patterns(window: int, shift: int, device: torch.device | None = None) -> Tensor:
    wrapped = (torch.arange(window, device=device) >= window - shift).int()
    side = torch.stack((torch.zeros_like(wrapped), wrapped))
    part = 2 * side[:, None, :, None] + side[None, :, None, :]
    part = part.reshape(4, window * window)
    return (part[:, None] != part[:, :, None]).float() * -100.0


@lru_cache(maxsize=64)
def shift_patterns(
    window: int, shift: int, device: torch.device | None = None
) -> Tensor:
    """What a window adds to attention scores so that wrapped parts stay apart.

    Args:
        window: Side of a window in positions.
        shift: Positions that windows are moved.
        device: Of the result.

    Returns:
        Shape (4, w*w, w*w), 0 or, as in the original, -100: for windows that are not
        last of their row or column, last of their row, of their column, of both.
    """
    with torch.inference_mode(False):
        return _patterns(window, shift, device)


@lru_cache(maxsize=64)
def _kept_pattern_of_windows(down: int, across: int, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return _pattern_of_windows(down, across, device)


def shift_mask(
    down: int, across: int, window: int, shift: int, device: torch.device
) -> Tensor:
    """Pattern of every window of a shifted map, (down*across, w*w, w*w).

    Made on the device, as a copy from the host would wait for it. Its parts are kept,
    but not where a compiler or a CUDA graph records: what is recorded must not depend
    on tensors that may be let go.
    """
    if torch.compiler.is_compiling() or (
        device.type == 'cuda' and torch.cuda.is_current_stream_capturing()
    ):
        patterns = _patterns(window, shift, device)
        return patterns[_pattern_of_windows(down, across, device)]
    patterns = shift_patterns(window, shift, device)
    return patterns.index_select(0, _kept_pattern_of_windows(down, across, device))
