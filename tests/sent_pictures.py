"""Pictures as clients send them."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image
from standin import scene


def png(width=120, height=80, **boxes):
    """A PNG of a gray scene, with a filled box per colour."""
    pixels = scene(width, height, **(boxes or {'red': (16, 16, 80, 64)}))
    return encoded(pixels[..., ::-1])


def encoded(rgb, kind='PNG'):
    """An array as the bytes of a picture's file."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(rgb)).save(file, kind)
    return file.getvalue()


def base64_of(data):
    return base64.b64encode(data).decode()
