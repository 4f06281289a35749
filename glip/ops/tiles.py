"""When rows are worked through in tiles, and what tiles share."""

import torch
from torch import Tensor

from .plain import is_plain

# Rows of a tile: what is computed of them, a few megabytes, stays in the cache.
TILE_ROWS = 2048


def works_in_tiles(x: Tensor) -> bool:
    """Whether the tiled forms serve: in full precision on the CPU, uncompiled.

    A GPU would start each operation of each tile on its own, and its cache is none.
    """
    return (
        not is_plain()
        and x.device.type == 'cpu'
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled('cpu')
        and not torch.compiler.is_compiling()
    )


def row_factors(kept: Tensor | None, x: Tensor) -> Tensor | None:
    """Factor of each row of a batch of maps (B, H, W, C), shape (B*H*W, 1)."""
    if kept is None:
        return None
    return kept.reshape(-1).repeat_interleave(x.shape[1] * x.shape[2])[:, None]
