"""Pictures from wherever they lie, as upright 8-bit BGR arrays."""

from __future__ import annotations

import io
import logging
import os
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Union

import numpy as np
import torch
from PIL import Image, ImageOps

from glip.errors import ImageError, reason_of
from glip.received import kind_of
from glip.runtime.fetching import fetch
from glip.runtime.jpeg_end import completed

logger = logging.getLogger(__name__)

ImageSource = Union[
    str, 'os.PathLike[str]', Image.Image, np.ndarray, torch.Tensor, bytes, BinaryIO
]

# Pillow knows these by name, yet needs another program or never decodes them.
_NOT_PICTURES = {'BUFR', 'EPS', 'GRIB', 'HDF5', 'IPTC', 'MPEG', 'WMF'}
Image.init()
# Endings of all types that Pillow reads by itself.
EXTENSIONS = frozenset(
    extension
    for extension, kind in Image.registered_extensions().items()
    if kind in Image.OPEN and kind not in _NOT_PICTURES
)

_ORIENTATION = 0x0112  # tag of EXIF
_TURNED = (5, 6, 7, 8)  # its values that swap the sides of a picture


def is_url(source: object) -> bool:
    """Whether ``source`` is an http or https address."""
    return isinstance(source, str) and source.lower().startswith(
        ('http://', 'https://')
    )


def is_picture(source: object) -> bool:
    """Whether ``source`` is of a kind that :func:`load_image` takes."""
    kinds = str, os.PathLike, Image.Image, np.ndarray, torch.Tensor, bytes
    return isinstance(source, kinds) or _is_file(source)


def _is_file(source: Any) -> bool:
    return callable(getattr(source, 'read', None))


def image_name(source: ImageSource) -> str:
    """What to call a picture in a message: its path, address or kind."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, Image.Image):
        return getattr(source, 'filename', '') or 'PIL image'
    if _is_file(source) and isinstance(getattr(source, 'name', None), str):
        return source.name
    return f'{type(source).__name__} picture'


def find_images(folder: str | os.PathLike[str]) -> list[Path]:
    """List the pictures that lie directly in a folder, sorted by name.

    A picture is a visible file with one of ``EXTENSIONS``, in any case.

    Raises:
        ImageError: The folder holds none, or cannot be read.
    """
    folder = Path(folder)
    try:
        pictures = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in EXTENSIONS
            and not path.name.startswith('.')
            and path.is_file()
        )
    except OSError as error:
        raise ImageError(f'{folder}: {error.strerror or error}') from error
    if not pictures:
        raise ImageError(
            f'{folder}: no pictures in this folder (subfolders are not searched)'
        )
    return pictures


@dataclass(frozen=True)
class PictureHeader:
    """What a file says of its picture before the pixels.

    Attributes:
        width: Pixels of the upright picture.
        height: Pixels of the upright picture.
        turned: Whether it is stored lying on its side, and EXIF says so.
    """

    width: int
    height: int
    turned: bool


def read_header(path: str) -> PictureHeader:
    """Read the size of a picture, and no more of the file than that takes.

    Raises:
        ImageError: It is missing, or not a picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            with Image.open(_checked_path(path)) as image:
                (width, height), turned = image.size, _is_turned(image)
        except ImageError:
            raise
        # Decoders raise anything on damaged data.
        except Exception as error:  # noqa: BLE001
            raise ImageError(f'{path}: cannot be read ({reason_of(error)})') from error
    return PictureHeader(*((height, width) if turned else (width, height)), turned)


def _is_turned(image: Image.Image) -> bool:
    """Damaged EXIF counts as none."""
    try:
        return image.getexif().get(_ORIENTATION) in _TURNED
    except Exception:  # noqa: BLE001 (damaged data)
        return False


def load_image(
    source: ImageSource, *, timeout: float = 30.0, rgb: bool = False
) -> np.ndarray:
    """Read a picture as the upright 8-bit colour array that the models expect.

    The orientation in EXIF is applied, of an animation the first frame is taken,
    transparency is dropped, and 16-bit gray is brought to 8 bits.

    Args:
        source: A path, an http(s) address, a PIL image, the bytes of a picture's file
            or an open binary file; or an array in OpenCV's layout, (H, W, 3) BGR,
            (H, W, 4) BGRA, (H, W) or (H, W, 1) gray, uint8 or float in [0, 1]; or a
            tensor in torchvision's, (3, H, W) or (1, H, W) RGB, likewise.
        timeout: Seconds that a server may stay silent; it has four times as many for
            the whole picture.
        rgb: Arrays come in RGB.

    Returns:
        (H, W, 3) uint8, BGR, contiguous.

    Raises:
        ImageError: It is missing, not a picture, damaged, or larger than Pillow
            opens, twice ``PIL.Image.MAX_IMAGE_PIXELS`` (about 179 million pixels).
    """
    if isinstance(source, torch.Tensor):
        return _from_tensor(source)
    if isinstance(source, np.ndarray):
        pixels = _from_array(source)
        return np.ascontiguousarray(pixels[..., ::-1]) if rgb else pixels
    if not is_picture(source):
        raise ImageError(
            f'{type(source).__name__} is not a picture: give a path, an address, '
            'bytes, a PIL image, an array or a tensor'
        )
    with warnings.catch_warnings():
        # Pillow warns of large pictures, which are allowed, and of damaged EXIF.
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        warnings.filterwarnings('ignore', module='PIL')
        if isinstance(source, Image.Image):
            return _decode(source, image_name(source))
        if isinstance(source, bytes):
            return _open(io.BytesIO(source), image_name(source))
        if isinstance(source, (str, os.PathLike)):
            return _from_file(os.fspath(source), timeout)
        return _open(source, image_name(source))


def _from_file(name: str, timeout: float) -> np.ndarray:
    """Read a path or an address."""
    if is_url(name):
        return _open(io.BytesIO(fetch(name, timeout)), name)
    return _open(_checked_path(name), name)


def _open(file: str | BinaryIO, name: str) -> np.ndarray:
    """Decode a file that is there."""
    try:
        with Image.open(file) as image:
            return _decode(image, name)
    except ImageError:
        raise
    except Image.UnidentifiedImageError as error:
        raise ImageError(f'{name}: not a picture that can be read') from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ImageError(
            f'{name}: larger than {limit / 1e6:.0f} million pixels; cut it into parts '
            'or raise PIL.Image.MAX_IMAGE_PIXELS'
        ) from error
    # Decoders raise anything on damaged data.
    except Exception as error:  # noqa: BLE001
        raise ImageError(f'{name}: cannot be read ({reason_of(error)})') from error


def _checked_path(name: str) -> str:
    """Tell the usual mistakes apart before a decoder sees the file."""
    try:
        size = os.stat(name).st_size
        kind = kind_of(name)
    except FileNotFoundError as error:
        raise ImageError(f'{name}: no such file') from error
    except (OSError, ValueError) as error:
        raise ImageError(f'{name!r}: cannot be read ({reason_of(error)})') from error
    if kind is not None:
        raise ImageError(f'{name}: is {kind}, not a picture')
    if size == 0:
        raise ImageError(f'{name}: the file is empty (0 bytes)')
    return name


def _decode(image: Image.Image, name: str) -> np.ndarray:
    """PIL image to upright BGR; the image given is left as it is."""
    try:
        rgb = _to_rgb(_upright(_loaded(image, name)))
    # Decoders raise anything on damaged data.
    except Exception as error:  # noqa: BLE001
        raise ImageError(f'{name}: cannot be read ({reason_of(error)})') from error
    if rgb.size == 0:
        raise ImageError(f'{name}: the picture has no pixels')
    return np.ascontiguousarray(rgb[..., ::-1])


def _loaded(image: Image.Image, name: str) -> Image.Image:
    """The image with its pixels, also where only the end mark of a JPEG is missing."""
    try:
        image.load()
    except OSError:
        file = getattr(image, 'fp', None)
        if file is None:
            raise
        file.seek(0)
        whole = completed(file.read())
        if whole is None:
            raise
        _warn_of_end(name)
        image = Image.open(io.BytesIO(whole))
        image.load()
    return image


@lru_cache(maxsize=1024)
def _warn_of_end(name: str) -> None:
    logger.warning('%s lacks its last bytes; all of its pixels are there', name)


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; damaged EXIF counts as none."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 (damaged data: the picture stays as it lies)
        return image


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Any mode of PIL to (H, W, 3) uint8 RGB."""
    if image.mode == 'F' or image.mode.startswith('I'):
        gray = _to_8_bits(np.asarray(image))
        return np.repeat(gray[..., None], 3, axis=2)
    if image.mode in ('RGBa', 'La'):  # premultiplied: only one way out
        image = image.convert(image.mode.upper())
    if image.mode in ('P', 'PA'):
        # A palette may carry transparency, which only RGBA can take over.
        image = image.convert('RGBA')
    if image.mode == 'LAB':
        raise ValueError('the colour mode LAB is not supported, save it as RGB')
    return np.asarray(image.convert('RGB'))


def _to_8_bits(gray: np.ndarray) -> np.ndarray:
    """Deep gray to 8 bits by the smallest usual range that holds its values."""
    values = np.nan_to_num(gray.astype(np.float64), posinf=0.0, neginf=0.0)
    values = values.clip(min=0)
    peak = values.max(initial=0.0)
    ranges = (1.0, 255.0, 65535.0) if gray.dtype.kind == 'f' else (255.0, 65535.0)
    top = next((limit for limit in ranges if peak <= limit), peak)
    return (values * (255.0 / top)).round().astype(np.uint8)


def _from_tensor(tensor: torch.Tensor) -> np.ndarray:
    """Tensor in torchvision's layout, (C, H, W) in RGB, to (H, W, 3) BGR."""
    if tensor.ndim != 3 or len(tensor) not in (1, 3):
        raise ImageError(
            f'tensor of shape {tuple(tensor.shape)} is not a picture: give (3, H, W) '
            'RGB, as torchvision.io.decode_image returns'
        )
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()
    return _from_array(tensor.permute(1, 2, 0).numpy()[..., ::-1])


def _from_array(array: np.ndarray) -> np.ndarray:
    """Array in one of OpenCV's layouts to (H, W, 3) BGR."""
    wanted = (
        'give (H, W, 3) BGR of uint8, as cv2.imread returns, or of floats from 0 to 1'
    )
    if array.dtype.kind == 'f':
        low, high = (array.min(), array.max()) if array.size else (0.0, 0.0)
        if not (low >= 0 and high <= 1):  # written so that NaN fails
            raise ImageError(
                f'floats from {low:g} to {high:g} are no picture: {wanted}'
            )
        array = (array * 255).round().astype(np.uint8)
    if array.dtype != np.uint8:
        raise ImageError(f'array of {array.dtype} is not a picture: {wanted}')
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageError(f'array of shape {array.shape} is not a picture: {wanted}')
    if array.size == 0:
        raise ImageError(f'array of shape {array.shape} has no pixels')
    if array.shape[2] == 1:
        array = np.repeat(array, 3, axis=2)
    return np.ascontiguousarray(array[..., :3])
