"""Resizing of pictures that have no annotations."""

from __future__ import annotations

from typing import Any

import mmcv


class FixScaleResize:
    """Resizes as mmdet's transform of this name, but pictures only.

    Args:
        scale: Longest and shortest side at most, in any order; without
            ``keep_ratio`` width and height.
        keep_ratio: Resize both sides by the same factor.
        backend: ``'cv2'`` or ``'pillow'``.
        interpolation: As mmcv calls it.
    """

    def __init__(
        self,
        *,
        scale: int | tuple[int, int],
        keep_ratio: bool = False,
        backend: str = 'cv2',
        interpolation: str = 'bilinear',
    ) -> None:
        self.scale = (scale, scale) if isinstance(scale, int) else tuple(scale)
        self.keep_ratio = keep_ratio
        self.how = dict(backend=backend, interpolation=interpolation)

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace ``img`` (H, W, 3), and set ``scale_factor`` (x, y)."""
        image = results['img']
        height, width = image.shape[:2]
        size = self._size(width, height) if self.keep_ratio else self.scale
        results['img'] = resized = mmcv.imresize(image, size, **self.how)
        results['scale'] = self.scale
        results['img_shape'] = resized.shape[:2]
        results['scale_factor'] = (
            resized.shape[1] / width,
            resized.shape[0] / height,
        )
        results['keep_ratio'] = self.keep_ratio
        return results

    def _size(self, width: int, height: int) -> tuple[int, int]:
        factor = min(
            max(self.scale) / max(height, width), min(self.scale) / min(height, width)
        )
        return int(width * factor), int(height * factor)
