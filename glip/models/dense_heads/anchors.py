"""Anchors of pyramid levels, with corners as the original counts them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Anchors(Protocol):
    """What the head asks of a generator of anchors, ours or mmdet's."""

    base_anchors: list[Tensor]

    @property
    def num_levels(self) -> int:
        """Levels of the pyramid."""

    @property
    def num_base_priors(self) -> list[int]:
        """Anchors per position of each level."""

    def grid_priors(
        self, sizes: Sequence[tuple[int, int]], dtype: torch.dtype, device: torch.device
    ) -> list[Tensor]:
        """Anchors (H*W*A, 4) of levels of these heights and widths."""


class AnchorGenerator:
    """Boxes around the positions of a pyramid, as mmdet's class of this name has them.

    Args:
        strides: Pixels per position of each level, for both sides or (x, y).
        ratios: Heights over widths.
        scales: Sides over the stride; in place of the two fields that follow.
        octave_base_scale: Smallest of the scales.
        scales_per_octave: Scales between it and twice of it.
        center_offset: Where in its cell the center of a position is, 0 to 1.
    """

    def __init__(
        self,
        *,
        strides: Sequence[int | Sequence[int]],
        ratios: Sequence[float],
        scales: Sequence[float] | None = None,
        octave_base_scale: float | None = None,
        scales_per_octave: int | None = None,
        center_offset: float = 0.0,
    ) -> None:
        if scales is None:
            if octave_base_scale is None or scales_per_octave is None:
                raise ValueError(
                    'anchors need scales, or octave_base_scale and scales_per_octave'
                )
            octaves = range(scales_per_octave)
            scales = [octave_base_scale * 2 ** (i / scales_per_octave) for i in octaves]
        self.strides = [
            (stride, stride) if isinstance(stride, int) else tuple(stride)
            for stride in strides
        ]
        self.octave_base_scale = octave_base_scale
        self._shape = tuple(ratios), tuple(scales), center_offset
        self.base_anchors = self.gen_base_anchors()

    def gen_base_anchors(self) -> list[Tensor]:
        """Anchors (A, 4) of the first position of each level."""
        return [_around_origin(min(stride), *self._shape) for stride in self.strides]

    @property
    def num_levels(self) -> int:
        """Levels of the pyramid."""
        return len(self.strides)

    @property
    def num_base_priors(self) -> list[int]:
        """Anchors per position of each level."""
        return list(map(len, self.base_anchors))

    def grid_priors(
        self, sizes: Sequence[tuple[int, int]], dtype: torch.dtype, device: torch.device
    ) -> list[Tensor]:
        """Half-open boxes (H*W*A, 4) of levels of these heights and widths, xyxy."""
        grids = []
        for base, (height, width), (dx, dy) in zip(
            self.base_anchors, sizes, self.strides, strict=True
        ):
            x = torch.arange(width, device=device).to(dtype) * dx
            y = torch.arange(height, device=device).to(dtype) * dy
            y, x = torch.meshgrid(y, x, indexing='ij')
            shifts = torch.stack((x, y, x, y), -1).reshape(-1, 1, 4)
            grids.append((shifts + base.to(device, dtype)).view(-1, 4))
        return grids


def _around_origin(
    size: int, ratios: Sequence[float], scales: Sequence[float], offset: float
) -> Tensor:
    """Anchors (A, 4) of the first position, ratio after ratio."""
    heights = torch.tensor(ratios).sqrt()[:, None]
    sides = torch.tensor(scales)
    half_w = 0.5 * (size * (1 / heights) * sides).flatten()
    half_h = 0.5 * (size * heights * sides).flatten()
    center = offset * size
    return torch.stack(
        (center - half_w, center - half_h, center + half_w, center + half_h), -1
    )


def inclusive_anchors(
    generator: Anchors,
    sizes: Sequence[tuple[int, int]],
    device: torch.device,
) -> list[Tensor]:
    """Anchors whose last pixel is part of them.

    Args:
        generator: Counts corners half-open; its base anchors are moved to the device.
        sizes: Height and width of each level.
        device: Where the anchors are needed.

    Returns:
        Float32 boxes (H*W, 4) of each level, xyxy.
    """
    # The generator copies these from the host each time unless they are there.
    generator.base_anchors = [base.to(device) for base in generator.base_anchors]
    priors = generator.grid_priors(sizes, dtype=torch.float32, device=device)
    return [torch.cat((p[:, :2], p[:, 2:] - 1), 1) for p in priors]
