"""Where the pictures of an annotation file lie, whatever the file calls them."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from glip.errors import ImageError
from glip.images import PictureHeader, read_header

_ODD = re.compile(r'[\\%]|[^\0-\x7f]')  # what may be spelt in other ways
_TAILS = (2, 1)  # last parts of a file name to try where the whole is not there


class PictureFiles:
    """A folder of pictures, and the names that annotations have for them.

    File names of Objects365 and LVIS begin with folders that are often not those on
    disk, so shorter names are tried. Tools on Windows write back-slashes, and those
    that serve pictures to a browser ``%20`` for a blank or ``file://``, and macOS takes
    letters and their accents apart: where such a name is not there, it is read as what
    was meant.

    Args:
        folder: What names start from.
        local: Whether it is on a disk that can be looked at.
    """

    def __init__(self, folder: str, *, local: bool = True) -> None:
        self.folder = folder
        self.local = local and '://' not in folder
        self._parts = 0  # of file names that are kept; 0 stands for all

    def settle(self, names: Sequence[str]) -> bool:
        """Choose how much of the names counts, by some of them.

        Returns:
            Whether one of the pictures is there; also where that cannot be looked at.
        """
        if not self.local or not names or _is_address(names[0]):
            return True
        for parts in (0, *_TAILS):
            self._parts = parts
            if any(os.path.exists(self.path_of(name)) for name in names):
                return True
        self._parts = 0
        return False

    def path_of(self, name: str) -> str:
        """Where a picture is."""
        if self.local and _is_address(name):
            return name
        name = name.removeprefix('file://')
        path = self._joined(name)
        if self.local and _ODD.search(name) and not os.path.exists(path):
            others = map(self._joined, _spellings(name))
            path = next(filter(os.path.exists, others), path)
        return path

    def header(self, name: str) -> PictureHeader | None:
        """Size and orientation of a picture; None where it cannot be read."""
        if not self.local:
            return None
        try:
            return read_header(self.path_of(name))
        except ImageError:
            return None

    def _joined(self, name: str) -> str:
        if self._parts:
            name = os.path.join(*name.split('/')[-self._parts :])
        return os.path.join(self.folder, name)


def _spellings(name: str) -> Iterator[str]:
    """What a name may stand for."""
    yield name.replace('\\', '/')
    yield unquote(name)
    yield unquote(name).replace('\\', '/')
    for form in ('NFC', 'NFD'):
        yield unicodedata.normalize(form, name)


def _is_address(name: str) -> bool:
    """Whether a name says how to reach it, and not only where it lies."""
    return '://' in name and not name.startswith('file://')
