"""Pictures of any source, one at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from glip.errors import ImageError
from glip.images import ImageSource
from glip.sources.expand import Source
from glip.sources.video import Sampling, VideoReader


@dataclass(frozen=True)
class Picture:
    """A picture to look at, and where it comes from.

    Attributes:
        image: What :func:`glip.load_image` reads.
        source: What it is a picture of.
        frame: Number of the frame, from 0, in a video or stream.
        time: Its seconds since the start.
        pts: Its time in units of the video's time base, for writers.
    """

    image: ImageSource
    source: Source
    frame: int | None = None
    time: float | None = None
    pts: int | None = None


def pictures_of(
    source: Source,
    sampling: Sampling | None = None,
    opened: Callable[[VideoReader], None] | None = None,
) -> Iterator[Picture]:
    """Yield the pictures of a source.

    Args:
        source: Anything that :func:`expand_sources` lists.
        sampling: Which frames of videos and streams to take, by default all.
        opened: Called with the reader of a video before its first frame.

    Raises:
        ImageError: It cannot be read; a picture that lies in a file is not read here.
    """
    if source.kind == 'picture':
        yield Picture(source.name, source)
    elif source.kind == 'stdin':
        yield Picture(_standard_input(), source)
    else:
        with VideoReader(source) as reader:
            if opened is not None:
                opened(reader)
            for frame in reader.frames(sampling or Sampling()):
                yield Picture(frame.pixels, source, frame.number, frame.time, frame.pts)


def _standard_input() -> bytes:
    stdin: Any = getattr(sys.stdin, 'buffer', sys.stdin)
    data = stdin.read()
    if not data:
        raise ImageError('the standard input is empty: pipe a picture into the command')
    return data
