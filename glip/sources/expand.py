"""From the words of a command line to the pictures and videos they stand for."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from glip.errors import ImageError
from glip.images import EXTENSIONS, is_url
from glip.runtime.fetching import content_type

Kind = Literal['picture', 'video', 'stream', 'camera', 'stdin']

VIDEO_EXTENSIONS = frozenset(
    '.mp4 .m4v .mov .avi .mkv .webm .mpg .mpeg .m2v .wmv .asf .flv .f4v .ts .mts .m2ts '
    '.3gp .3g2 .ogv .vob .mxf .mjpeg .mjpg .y4m'.split()
)
# What servers call pictures one after the other, and lists of parts of a video.
_STREAM_TYPES = frozenset(
    (
        'multipart/x-mixed-replace',
        'application/vnd.apple.mpegurl',
        'application/x-mpegurl',
        'application/dash+xml',
    )
)
# A list of pictures is text; this is far more than any.
_LARGEST_LIST = 256 * 2**20


@dataclass(frozen=True)
class Source:
    """One thing to look at.

    Attributes:
        kind: ``picture``; ``video``, which ends; ``stream`` or ``camera``, which may
            not; ``stdin``, a picture on the standard input.
        name: Path, address, number of the camera, or ``-``.
    """

    kind: Kind
    name: str


@dataclass(frozen=True)
class Sources:
    """What a command line stands for.

    Attributes:
        items: In the order of the words, files of a folder sorted by name.
        skipped: How many files of folders are neither pictures nor videos, by ending.
    """

    items: Sequence[Source]
    skipped: Counter[str]

    @property
    def is_one_still(self) -> bool:
        """Whether there is one picture and nothing else."""
        return len(self.items) == 1 and self.items[0].kind in ('picture', 'stdin')


def expand_sources(words: Sequence[str], *, recursive: bool = False) -> Sources:
    """List the pictures, videos and streams that words stand for.

    Args:
        words: Files, folders, glob patterns (``**`` spans folders), lists of files
            (``.txt``, one per line, relative to the list), addresses (http, https,
            rtsp, rtmp, udp), numbers of cameras, or ``-`` for the standard input.
        recursive: Look into folders below folders as well.

    Returns:
        Sources, each once. A file that is missing is among them: reading it says so.

    Raises:
        ImageError: A pattern matches nothing, a folder holds neither pictures nor
            videos, or a list cannot be read.
    """
    skipped: Counter[str] = Counter()
    items: dict[Source, None] = {}
    for word in words:
        items.update(dict.fromkeys(_expand(word, recursive, skipped)))
    return Sources(list(items), skipped)


def _expand(word: str, recursive: bool, skipped: Counter[str]) -> Iterator[Source]:
    """Sources that one word stands for."""
    if word == '-':
        yield Source('stdin', word)
    elif is_url(word):
        yield Source(_kind_of_address(word), word)
    elif urlsplit(word).scheme.lower() in (
        'rtsp',
        'rtsps',
        'rtmp',
        'udp',
        'tcp',
        'srt',
    ):
        yield Source('stream', word)
    elif os.path.isdir(word):
        yield from _folder(Path(word), recursive, skipped)
    elif os.path.lexists(word):
        yield from _file(word, recursive, skipped)
    elif word.isascii() and word.isdecimal():
        yield Source('camera', word)
    elif glob.has_magic(word):
        yield from _pattern(word, recursive, skipped)
    else:
        yield Source(_kind_of_file(word), word)


def _kind_of_address(address: str) -> Kind:
    extension = Path(urlsplit(address).path).suffix.lower()
    if extension in ('.m3u8', '.mpd'):
        return 'stream'
    if extension in VIDEO_EXTENSIONS:
        return 'video'
    if extension in EXTENSIONS:
        return 'picture'
    # Cameras of a network have addresses like http://host/video_feed.
    answer = content_type(address)
    if answer in _STREAM_TYPES:
        return 'stream'
    return 'video' if answer.startswith('video/') else 'picture'


def _kind_of_file(name: str) -> Kind:
    return 'video' if Path(name).suffix.lower() in VIDEO_EXTENSIONS else 'picture'


def _file(name: str, recursive: bool, skipped: Counter[str]) -> Iterator[Source]:
    if name.lower().endswith('.txt'):
        yield from _list(Path(name), recursive, skipped)
    else:
        yield Source(_kind_of_file(name), name)


def _list(path: Path, recursive: bool, skipped: Counter[str]) -> Iterator[Source]:
    """What the lines of a list of files stand for."""
    try:
        if path.stat().st_size > _LARGEST_LIST:
            raise ImageError(f'{path}: too large for a list of pictures')
        lines = path.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'is not text in UTF-8'
        raise ImageError(f'{path}: {reason}') from error
    lines = [line.strip() for line in lines]
    names = [line for line in lines if line and not line.startswith('#')]
    if not names:
        raise ImageError(f'{path}: the list names no picture')
    for name in names:
        if name == '-' or (name.lower().endswith('.txt') and '://' not in name):
            raise ImageError(f'{path}: a list names pictures and videos, not {name!r}')
        if '://' not in name:
            name = str(path.parent / name)
        yield from _expand(name, recursive, skipped)


def _pattern(word: str, recursive: bool, skipped: Counter[str]) -> Iterator[Source]:
    """What a glob pattern, which the shell left as it is, matches."""
    matches = sorted(glob.glob(word, recursive=True))
    if not matches:
        raise ImageError(f'{word}: no file matches this pattern')
    for match in matches:
        if os.path.isdir(match):
            continue
        if _is_visual(match):
            yield Source(_kind_of_file(match), match)
        else:
            skipped[Path(match).suffix.lower()] += 1


def _folder(folder: Path, recursive: bool, skipped: Counter[str]) -> Iterator[Source]:
    """Pictures and videos of a folder, hidden files left out."""
    names = []
    try:
        for root, folders, files in os.walk(folder, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith('.'))
            names += [Path(root, name) for name in files if not name.startswith('.')]
            if not recursive:
                break
    except OSError as error:
        raise ImageError(f'{folder}: {error.strerror or error}') from error
    visual = sorted(path for path in names if _is_visual(path) and path.is_file())
    skipped.update(p.suffix.lower() for p in names if not _is_visual(p))
    if not visual:
        where = '' if recursive else ' (subfolders are searched with --recursive)'
        raise ImageError(f'{folder}: no pictures or videos in this folder{where}')
    yield from (Source(_kind_of_file(str(path)), str(path)) for path in visual)


def _is_visual(path: str | Path) -> bool:
    return Path(path).suffix.lower() in EXTENSIONS | VIDEO_EXTENSIONS


def _raise(error: OSError) -> None:
    raise error
