"""Detecting in everything that was named, and writing what comes of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from glip.apis.detections import Detections
from glip.apis.detector import Detector
from glip.cli.filters import Filters
from glip.cli.names import output_names
from glip.cli.slicing import detect_in_slices
from glip.errors import GLIPError, ImageError, one_line
from glip.formats.writers import ResultWriter
from glip.runtime.writing import make_folder, write_picture
from glip.sources import Picture, Sampling, Source, pictures_of
from glip.sources.annotated import AnnotatedVideo
from glip.sources.video import VideoReader
from glip.text import TextPrompt

Draw = Callable[[Detections], Any]


@dataclass
class Looks:
    """How a run looks at pictures.

    Attributes:
        detector: The model.
        prompt: What to look for.
        filters: Which boxes are kept.
        sampling: Which frames of videos.
        batch_size: Pictures in memory at a time.
        chunked_size: Class names per prompt, as the detector takes it.
        slice_size: Side of the parts that large pictures are cut into; None for none.
        overlap: Of these parts, as a share.
    """

    detector: Detector
    prompt: TextPrompt
    filters: Filters = field(default_factory=Filters)
    sampling: Sampling = field(default_factory=Sampling)
    batch_size: int = 1
    chunked_size: int | None = None
    slice_size: int | None = None
    overlap: float = 0.2

    def __call__(
        self, pictures: Iterable[Picture]
    ) -> Iterator[tuple[Picture, Detections | ImageError]]:
        """Detect in pictures; those that cannot be read yield the error.

        Of a list, the next pictures are read while one is looked at.
        """
        default = self.detector.default_threshold
        lowest = self.filters.lowest(default)
        size = len(pictures) if isinstance(pictures, list) else self.batch_size
        pictures = iter(pictures)
        while batch := list(islice(pictures, size)):
            for picture, result in zip(batch, self._detect(batch, lowest), strict=True):
                if isinstance(result, Detections):
                    result = self.filters(_placed(result, picture), default)
                yield picture, result

    def _detect(
        self, batch: Sequence[Picture], threshold: float
    ) -> Iterator[Detections | ImageError]:
        images = [picture.image for picture in batch]
        if self.slice_size is None:
            yield from self.detector.stream(
                images,
                self.prompt,
                threshold=threshold,
                batch_size=self.batch_size,
                chunked_size=self.chunked_size,
                on_error='return',
            )
            return
        for image in images:
            try:
                yield detect_in_slices(
                    self.detector,
                    image,
                    self.prompt,
                    size=self.slice_size,
                    overlap=self.overlap,
                    threshold=threshold,
                )
            except ImageError as error:
                yield error


def _placed(detections: Detections, picture: Picture) -> Detections:
    """The detections, knowing of what frame they are."""
    if picture.frame is None:
        return detections
    return replace(
        detections, image=picture.source.name, frame=picture.frame, time=picture.time
    )


@dataclass
class Counts:
    """What a run came to.

    Attributes:
        pictures: How many were looked at, frames among them.
        boxes: How many were kept.
        failed: Pictures, videos and files of results that failed, each reported.
    """

    pictures: int = 0
    boxes: int = 0
    failed: int = 0


class Run:
    """Detects in all sources; a picture that fails costs only itself.

    Args:
        looks: How to look.
        writer: Of boxes.
        draw: Draws detections as a PIL image.
        pictures: Folder for drawn pictures and videos; None for none.
        show: Shows a drawn picture under a title; None for not.
        printed: Called with the detections of each picture.

    Attributes:
        counts: What was done so far.
        files: All files of results of the last source.
    """

    def __init__(
        self,
        looks: Looks,
        writer: ResultWriter,
        draw: Draw,
        *,
        pictures: Path | None = None,
        show: Callable[[Any, str], None] | None = None,
        printed: Callable[[Detections], None] | None = None,
    ) -> None:
        self.looks = looks
        self.writer = writer
        self.draw = draw
        self.pictures = pictures
        self.show = show
        self.printed = printed
        self.counts = Counts()
        self.files: list[Path] = []
        self.last: Detections | None = None
        if pictures is not None:
            make_folder(pictures)

    def __call__(self, sources: Sequence[Source]) -> Counts:
        """Work through the sources.

        Boxes that were found before Ctrl-C or an error are written.

        Raises:
            GLIPError: The only source fails, or the boxes of the run cannot be written.
        """
        names = output_names([source.name for source in sources])
        plain = [s.kind in ('picture', 'stdin') for s in sources]
        several = len(sources) > 1 or not all(plain)
        total = len(sources) if all(plain) else None
        try:
            with tqdm(total=total, unit='picture', disable=not several) as bar:
                for group in _groups(list(zip(sources, names, plain, strict=True))):
                    self._group(group, bar, alone=len(sources) == 1)
        finally:
            self.files += self.writer.close()
        return self.counts

    def _group(self, group: list[Any], bar: Any, *, alone: bool) -> None:
        """Look at pictures that lie in files together, or at one video."""
        try:
            if group[0][2]:
                self._stills(
                    [source for source, *_ in group], [g[1] for g in group], bar
                )
            else:
                self._video(group[0][0], group[0][1], bar)
        except GLIPError as error:
            if alone:
                raise
            self._report(error)

    def _stills(
        self, sources: Sequence[Source], names: Sequence[str], bar: Any
    ) -> None:
        alone = len(sources) == 1 and bar.disable

        def pictures() -> Iterator[Picture]:
            for source in sources:
                yield from pictures_of(source)

        known = all(source.kind == 'picture' for source in sources)
        stills = list(pictures()) if known else pictures()
        for name, (picture, result) in zip(names, self.looks(stills), strict=True):
            bar.update()
            if isinstance(result, ImageError):
                if alone:
                    raise result
                self._report(result)
                continue
            try:
                self._keep(result, name)
                self._draw(result, name, _path_of(picture))
            except GLIPError as error:
                if alone:
                    raise
                self._report(error)

    def _video(self, source: Source, name: str, bar: Any) -> None:
        with ExitStack() as stack:
            opened: dict[str, Any] = {}

            def prepare(reader: VideoReader) -> None:
                count = reader.count(self.looks.sampling)
                if count is not None and bar.total is None:
                    bar.reset(count)
                opened['reader'] = reader
                if self.pictures is not None and source.kind == 'video':
                    video = AnnotatedVideo(self.pictures / name, reader)
                    opened['video'] = stack.enter_context(video)

            pictures = pictures_of(source, self.looks.sampling, prepare)
            for picture, result in self.looks(pictures):
                bar.update()
                if isinstance(result, ImageError):
                    raise result
                self._keep(result, f'{name}_{picture.frame:06d}')
                drawn = None
                if self.pictures is not None or self.show is not None:
                    drawn = self.draw(result)
                    if self.show is not None:
                        self.show(drawn, f'{name} {picture.time:.2f} s')
                if 'video' in opened:
                    opened['video'].write(drawn, picture.pts or 0)
                elif self.pictures is not None:
                    self._save(drawn, f'{name}_{picture.frame:06d}', None)
            if 'video' in opened:
                self.files.append(opened['video'].path)
            damaged = opened['reader'].damaged if 'reader' in opened else 0
            if damaged:
                ended = opened['reader'].ended
                why = f', the last one as it broke off ({ended})' if ended else ''
                tqdm.write(
                    f'{source.name}: {damaged} damaged places left out{why}',
                    file=sys.stderr,
                )

    def _keep(self, detections: Detections, name: str) -> None:
        """Write the boxes of a picture."""
        self.counts.pictures += 1
        self.counts.boxes += len(detections)
        self.last = detections
        self.files += self.writer.write(detections, name)
        if self.printed is not None:
            self.printed(detections)

    def _draw(self, detections: Detections, name: str, source: str | None) -> None:
        """Draw a picture, for the folder and the window."""
        if self.pictures is None and self.show is None:
            return
        drawn = self.draw(detections)
        if self.pictures is not None:
            self._save(drawn, name, source)
        if self.show is not None:
            self.show(drawn, name)

    def _save(self, drawn: Any, name: str, source: str | None) -> None:
        path = Path(self.pictures or '.', f'{name}.jpg')
        if source is not None and os.path.exists(source) and path.exists():
            if os.path.samefile(source, path):
                raise GLIPError(f'{path}: would overwrite its own input; name --out')
        self.files.append(write_picture(path, drawn, quality=95))

    def _report(self, error: GLIPError) -> None:
        self.counts.failed += 1
        tqdm.write(f'error: {one_line(error)}', file=sys.stderr)


def _path_of(picture: Picture) -> str | None:
    return picture.source.name if picture.source.kind == 'picture' else None


def _groups(entries: list[Any]) -> Iterator[list[Any]]:
    """Neighbouring pictures together, so that they share batches; videos alone."""
    group: list[Any] = []
    for entry in entries:
        if entry[2]:
            group.append(entry)
            continue
        if group:
            yield group
            group = []
        yield [entry]
    if group:
        yield group
