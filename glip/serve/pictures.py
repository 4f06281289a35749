"""Pictures as they arrive: bytes that are measured before they are decoded."""

from __future__ import annotations

import base64
import binascii
import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glip.errors import ImageError, one_line
from glip.images import load_image
from glip.serve.refusals import BadPicture, TooLarge

# Formats that are told by their first bytes and decoded by Pillow alone.
_WANTED = 'JPEG', 'PNG', 'WEBP', 'BMP', 'GIF', 'TIFF', 'AVIF', 'JPEG2000', 'PPM'
_FORMATS = tuple(name for name in _WANTED if name in Image.OPEN)


@dataclass(frozen=True)
class Upload:
    """A picture that waits, still encoded.

    Attributes:
        data: Bytes of its file.
        name: What the client calls it, if anything.
        pixels: Width times height.
    """

    data: bytes
    name: str | None
    pixels: int

    def decode(self) -> np.ndarray:
        """The upright picture, (H, W, 3) uint8 BGR.

        Raises:
            BadPicture: It is damaged.
        """
        try:
            with _opened(self.data) as image:
                return load_image(image)
        except ImageError as error:
            raise BadPicture(f'{self.name or "the picture"}: {error}') from error


def measured(data: bytes, name: str | None, most_pixels: float) -> Upload:
    """Read the size of a picture from its first bytes.

    Args:
        data: Bytes of its file.
        name: What the client calls it, if anything.
        most_pixels: Limit on width times height.

    Raises:
        BadPicture: It is no picture.
        TooLarge: It has too many pixels.
    """
    shown = name or 'the picture'
    if not data:
        raise BadPicture(f'{shown}: the file is empty (0 bytes)')
    try:
        with _opened(data) as image:
            width, height = image.size
    except Image.UnidentifiedImageError as error:
        raise BadPicture(
            f'{shown}: not a picture that can be read; send {", ".join(_FORMATS)}'
        ) from error
    except Image.DecompressionBombError as error:
        raise TooLarge(f'{shown}: {one_line(error)}') from error
    # Decoders raise anything on damaged data.
    except Exception as error:  # noqa: BLE001
        raise BadPicture(f'{shown}: cannot be read ({one_line(error)})') from error
    if width * height > most_pixels:
        raise TooLarge(
            f'{shown}: {width}x{height} is more than {most_pixels / 1e6:g} million '
            'pixels; send it smaller'
        )
    return Upload(data, name, width * height)


def from_base64(text: str, name: str | None = None) -> bytes:
    """Bytes of a picture in base64, bare or as a ``data:`` address.

    Raises:
        BadPicture: It is neither.
    """
    shown = name or 'the picture'
    if text[:5].lower() == 'data:':
        head, comma, text = text.partition(',')
        if not comma or not head.lower().endswith(';base64'):
            raise BadPicture(f'{shown}: a data: address needs ;base64 in its head')
    try:
        return base64.b64decode(''.join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadPicture(f'{shown}: not base64 ({one_line(error)})') from error


def _opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return Image.open(io.BytesIO(data), formats=_FORMATS)
