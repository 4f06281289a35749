"""Pictures from files, whatever kind of picture they are."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile as _MMCVLoadImageFromFile
from mmengine.fileio import get as read_bytes
from mmengine.logging import print_log
from PIL import Image, UnidentifiedImageError

from glip.errors import ImageError
from glip.images import load_image
from glip.registry import TRANSFORMS

# EXIF orientation -> what takes an upright (H, W, C) array back to how it is stored.
_TO_STORED = {
    5: lambda array: array.transpose(1, 0, 2),
    6: lambda array: np.rot90(array, 1),
    7: lambda array: np.rot90(array.transpose(1, 0, 2), 2),
    8: lambda array: np.rot90(array, -1),
}
_ORIENTATION = 0x0112


@TRANSFORMS.register_module()
class LoadImageFromFile(_MMCVLoadImageFromFile):
    """Read a picture as ``glip.load_image`` does, so training sees what the demo sees.

    The orientation in EXIF is honoured, unless the size in the annotation file is
    that of the picture as stored: then its boxes were drawn on the stored one.

    Args:
        to_float32: Give float32 instead of uint8.
        color_type: Only ``'color'``; kept for configs of mmdet.
        imdecode_backend: Kept for configs of mmdet; Pillow decodes, as in the
            original's data sets.
        ignore_empty: Give None for a picture that cannot be read.
        backend_args: mmengine's file backend, for pictures that are not local files.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = 'color',
        imdecode_backend: str = 'pillow',
        ignore_empty: bool = False,
        *,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        if color_type != 'color':
            raise ValueError(f"color_type must be 'color', not {color_type!r}")
        self._warned = self._turned = False
        super().__init__(
            to_float32=to_float32,
            color_type=color_type,
            imdecode_backend=imdecode_backend,
            ignore_empty=ignore_empty,
            backend_args=backend_args,
        )

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Add ``img`` (H, W, 3) uint8 BGR, ``img_shape`` and ``ori_shape`` (H, W).

        Args:
            results: ``img_path``, and from a stream ``img_bytes``, the file's content.

        Raises:
            ImageError: The picture is missing or unreadable; names the path.
        """
        try:
            image = self._read(
                results['img_path'],
                _annotated_shape(results),
                results.pop('img_bytes', None),
            )
        except ImageError:
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _read(
        self, path: str, annotated: tuple[int, int] | None, content: bytes | None
    ) -> np.ndarray:
        """Read upright, or as stored where the annotation was made on that."""
        source: Any = path
        if content is not None:
            source = _opened(content, path)
        elif self.backend_args or '://' in path:
            source = self._fetch(path)
        image = load_image(source)
        height, width = image.shape[:2]
        if annotated is None or annotated == (height, width):
            return image
        if annotated != (width, height):
            self._warn(path, annotated, (height, width))
            return image
        with Image.open(path) if isinstance(source, str) else source as stored:
            back = _TO_STORED.get(stored.getexif().get(_ORIENTATION))
        if back is None:
            self._warn(path, annotated, (height, width))
            return image
        if not self._turned:
            self._turned = True
            print_log(
                f'{path} is stored on its side and annotated with that size: its boxes '
                'are taken to be of the picture as stored, before EXIF turns it '
                '(further such pictures are not reported)',
                logger='current',
            )
        return np.ascontiguousarray(back(image))

    def _warn(
        self, path: str, annotated: tuple[int, int], actual: tuple[int, int]
    ) -> None:
        """Say once that boxes and pixels do not belong together."""
        if not self._warned:
            self._warned = True
            print_log(
                f'{path} is {actual[1]}x{actual[0]} but annotated as '
                f'{annotated[1]}x{annotated[0]}: its boxes will not fit (further such '
                'pictures are not reported)',
                logger='current',
                level=logging.WARNING,
            )

    def _fetch(self, path: str) -> Image.Image:
        """Open a picture through mmengine's file backends."""
        try:
            data = read_bytes(path, backend_args=self.backend_args)
        except KeyError as error:  # of the table of backends
            raise ImageError(f'{path}: no way to read such an address') from error
        except OSError as error:
            raise ImageError(f'{path}: cannot be read ({error})') from error
        return _opened(data, path)


def _opened(content: bytes, path: str) -> Image.Image:
    """A picture file that is in memory."""
    try:
        return Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise ImageError(f'{path}: not a picture that can be read') from error
    except OSError as error:
        raise ImageError(f'{path}: cannot be read ({error})') from error


def _annotated_shape(results: dict[str, Any]) -> tuple[int, int] | None:
    """(height, width) according to the annotation file, if it says."""
    height, width = results.get('height'), results.get('width')
    return (height, width) if height and width else None
