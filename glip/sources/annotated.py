"""Videos written anew with boxes drawn, their sound left as it is."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from PIL import Image

from glip.errors import GLIPError, one_line
from glip.runtime.atomic import atomic_write
from glip.sources.video import VideoReader

# Containers that take H.264 and any sound; the rest is written as Matroska.
_H264 = {'.mp4': 'mp4', '.m4v': 'mp4', '.mov': 'mov', '.mkv': 'matroska'}


class AnnotatedVideo:
    """Writes frames with the times they had; a context manager.

    The file appears when all is written, or Ctrl-C ends a stream that has no end.

    Args:
        path: Without ending; see :attr:`path` for the one it gets.
        reader: Of the video that is drawn upon. Packets of its sound are copied as
            they are, so nothing of it is lost.

    Raises:
        GLIPError: It cannot be written, or would be its own source.
    """

    def __init__(self, path: Path, reader: VideoReader) -> None:
        extension = Path(reader.source.name).suffix.lower()
        if reader.source.kind != 'video':
            extension = '.mp4'
        self._kind = _H264.get(extension, 'matroska')
        if self._kind == 'matroska':
            extension = '.mkv'
        self.path = path.with_name(path.name + extension)
        if self.path.exists() and os.path.exists(reader.source.name):
            if os.path.samefile(self.path, reader.source.name):
                raise GLIPError(
                    f'{self.path}: would overwrite its own input; name --out'
                )
        self._reader = reader
        self._stack = ExitStack()
        self._video: Any = None
        self._audio: Any = None
        self._waiting: list[Any] = []
        try:
            part = self._stack.enter_context(atomic_write(self.path))
        except OSError as error:
            raise GLIPError(f'{self.path}: {error.strerror}') from error
        av = reader.av
        self._container = self._stack.enter_context(
            av.open(str(part), 'w', format=self._kind)
        )
        if reader.audio is not None:
            self._audio = self._container.add_stream_from_template(reader.audio)
            reader.sound = self._copy_sound

    def __enter__(self) -> AnnotatedVideo:
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            # Closing may fail as well, for the same reason.
            with suppress(OSError):
                self._stack.__exit__(kind, *error)
            return
        try:
            if self._video is not None:
                self._mux(self._video.encode())
            # With no error, so that the file takes its place.
            self._stack.__exit__(None, None, None)
        except OSError as failure:
            raise GLIPError(f'{self.path}: {one_line(failure)}') from failure

    def write(self, picture: Image.Image, pts: int) -> None:
        """Append a frame.

        Args:
            picture: RGB; all frames have the size of the first.
            pts: Its time in units of the reader's time base.
        """
        av = self._reader.av
        if self._video is None:
            self._start(picture.size)
        frame = av.VideoFrame.from_image(picture)
        frame = frame.reformat(self._video.width, self._video.height, 'yuv420p')
        frame.pts, frame.time_base = pts, self._reader.time_base
        self._mux(self._video.encode(frame))

    def _start(self, size: tuple[int, int]) -> None:
        """Add the stream of pictures, as the size is known now."""
        rate = Fraction(self._reader.rate).limit_denominator(65535)
        stream = self._container.add_stream('libx264', rate=rate)
        # H.264 has colours for every second pixel only.
        stream.width, stream.height = (max(2, side - side % 2) for side in size)
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = self._reader.time_base
        self._video = stream
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            self._copy_sound(packet)

    def _copy_sound(self, packet: Any) -> None:
        # Nothing may be written before all streams are known.
        if self._video is None:
            self._waiting.append(packet)
            return
        packet.stream = self._audio
        self._mux(packet)

    def _mux(self, packets: Any) -> None:
        try:
            self._container.mux(packets)
        except (OSError, ValueError) as error:
            raise GLIPError(f'{self.path}: {one_line(error)}') from error
