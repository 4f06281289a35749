"""Frames of videos, streams and cameras, by PyAV."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glip.errors import GLIPError, ImageError, one_line
from glip.runtime.extra import require
from glip.sources.expand import Source

# Seconds that a server or camera may stay silent.
_PATIENCE = 30.0
_CAMERAS = {
    'linux': ('v4l2', '/dev/video{}'),
    'darwin': ('avfoundation', '{}'),
    'win32': ('dshow', 'video={}'),
}


@dataclass(frozen=True)
class Sampling:
    """Which frames of a video are looked at.

    Attributes:
        stride: Every so many frames one.
        fps: At most so many per second of the video, instead.
        limit: No more than so many in all.

    Raises:
        GLIPError: A number is not positive, or both ways are given.
    """

    stride: int = 1
    fps: float | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise GLIPError(f'--stride must be at least 1, not {self.stride}')
        if self.fps is not None and not 0 < self.fps < float('inf'):
            raise GLIPError(f'--fps must be above 0, not {self.fps}')
        if self.fps is not None and self.stride != 1:
            raise GLIPError('give either --stride or --fps')
        if self.limit is not None and self.limit < 1:
            raise GLIPError(f'--max-frames must be at least 1, not {self.limit}')


class Frame(NamedTuple):
    """(H, W, 3) BGR pixels, number from 0, seconds, and units of the time base."""

    pixels: np.ndarray
    number: int
    time: float
    pts: int


class VideoReader:
    """Decodes one video; a context manager.

    Damaged frames are left out and counted in ``damaged``; ``ended`` says why a stream
    broke off.

    Args:
        source: A file, an address or a camera.

    Raises:
        ImageError: It cannot be opened, or has no pictures.
    """

    def __init__(self, source: Source) -> None:
        self.av: Any = require('av', 'video')
        self.source = source
        self.damaged = 0
        self.ended = ''
        self.sound: Callable[[Any], None] | None = None
        name, options = self._address()
        try:
            self._container = self.av.open(name, timeout=_PATIENCE, **options)
        except Exception as error:  # noqa: BLE001 (FFmpeg's, and of any Python kind)
            raise ImageError(f'{source.name}: {self._reason(error)}') from error
        if not self._container.streams.video:
            self._container.close()
            raise ImageError(f'{source.name}: has no pictures, only sound or text')
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = 'AUTO'

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._container.close()

    @property
    def time_base(self) -> Fraction:
        """Seconds per unit of ``Frame.pts``."""
        return self._stream.time_base or Fraction(1, 1000)

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return self._stream.average_rate or Fraction(25)

    @property
    def audio(self) -> Any:
        """The first sound stream, None if the video is silent."""
        audio = self._container.streams.audio
        return audio[0] if audio else None

    def count(self, sampling: Sampling) -> int | None:
        """About how many frames will be looked at, None if nobody can know."""
        rate = self._stream.average_rate
        seconds = None
        if self._stream.duration is not None:
            seconds = float(self._stream.duration * self.time_base)
        elif self._container.duration:
            seconds = self._container.duration / 1e6
        frames = self._stream.frames or (int(seconds * rate) if seconds and rate else 0)
        if not frames:
            return None
        if sampling.fps is not None and seconds:
            frames = min(frames, int(seconds * sampling.fps) + 1)
        frames = -(-frames // sampling.stride)
        return min(frames, sampling.limit) if sampling.limit else frames

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Decode what is to be looked at.

        Raises:
            ImageError: There is no frame at all, or none that can be decoded.
        """
        taken, due = 0, None
        number = -1
        for number, frame in enumerate(self._decoded()):
            pts = number if frame.pts is None else frame.pts
            seconds = float(pts * self.time_base)
            if sampling.fps is None:
                if number % sampling.stride:
                    continue
            else:
                due = seconds if due is None else due
                if seconds < due - 1e-6:
                    continue
                due += 1 / sampling.fps
            yield Frame(self._pixels(frame), number, seconds, pts)
            taken += 1
            if taken == sampling.limit:
                return
        if number < 0:
            damaged = f'{self.damaged} damaged' if self.damaged else ''
            why = f' ({self.ended or damaged})' if damaged else ''
            raise ImageError(f'{self.source.name}: the video has no frames{why}')

    def _decoded(self) -> Iterator[Any]:
        """Frames in order; packets of sound go to ``sound``."""
        streams = [self._stream]
        if self.sound is not None and self.audio is not None:
            streams.append(self.audio)
        packets = self._container.demux(streams)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except self.av.error.FFmpegError as error:
                if isinstance(error, self.av.error.EOFError):
                    return
                # What was read stays; the rest of a cut file cannot be had.
                self.ended = self._cause(error)
                self.damaged += 1
                return
            if packet.stream is not self._stream:
                if self.sound is not None and packet.dts is not None:
                    self.sound(packet)
                continue
            try:
                yield from packet.decode()
            except self.av.error.InvalidDataError:
                self.damaged += 1
            except self.av.error.FFmpegError as error:
                raise ImageError(
                    f'{self.source.name}: {self._reason(error)}'
                ) from error

    @staticmethod
    def _pixels(frame: Any) -> np.ndarray:
        """Upright pixels: telephones write how they were held."""
        pixels = frame.to_ndarray(format='bgr24')
        turns = round((getattr(frame, 'rotation', 0) or 0) / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns))

    def _address(self) -> tuple[str, dict[str, Any]]:
        """What FFmpeg opens, and how."""
        if self.source.kind != 'camera':
            path = Path(self.source.name)
            if self.source.kind == 'video' and '://' not in self.source.name:
                if not path.exists():
                    raise ImageError(f'{path}: no such file')
                if not path.is_file():
                    raise ImageError(f'{path}: is no file')
            return self.source.name, {}
        if sys.platform not in _CAMERAS:
            raise ImageError(
                f'cameras of {sys.platform} are not known; give an address'
            )
        kind, pattern = _CAMERAS[sys.platform]
        return pattern.format(self.source.name), {'format': kind}

    def _reason(self, error: Exception) -> str:
        what = 'camera' if self.source.kind == 'camera' else 'video'
        return f'cannot be read as a {what} ({self._cause(error)})'

    def _cause(self, error: Exception) -> str:
        # How FFmpeg says that it was called off, which is done after a silence.
        if isinstance(error, self.av.error.ExitError):
            return f'no data for {_PATIENCE:.0f} seconds'
        return getattr(error, 'strerror', None) or one_line(error)
