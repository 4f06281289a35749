"""Which pixels of shifted windows stay apart."""

from functools import lru_cache

import torch
from torch import Tensor


def pattern_of_windows(
    down: int, across: int, device: torch.device | None = None
) -> Tensor:
    """Which of :func:`shift_patterns` holds in each window of a map, (down*across,).

    Only the last window of a row or column holds what the shift wraps.
    """
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
        return pattern_of_windows(down, across, device)


def shift_mask(
    down: int, across: int, window: int, shift: int, device: torch.device
) -> Tensor:
    """Pattern of every window of a shifted map, (down*across, w*w, w*w).

    Made on the device, as a copy from the host would wait for it. Its parts are kept,
    but not where a compiler or a CUDA graph records: what is recorded must not depend
    on tensors that may be let go.
    """
    if torch.compiler.is_compiling() or (
        device.type == 'cuda'
        and torch.cuda.is_available()
        and torch.cuda.is_current_stream_capturing()
    ):
        patterns = _patterns(window, shift, device)
        return patterns[pattern_of_windows(down, across, device)]
    patterns = shift_patterns(window, shift, device)
    return patterns.index_select(0, _kept_pattern_of_windows(down, across, device))
