"""A folder of pictures, gone through one by one; what is accepted is in a file."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
from PIL import Image

from glip.apis import Detections
from glip.errors import DatasetError, GLIPError, ImageError
from glip.images import find_images, load_image
from glip.page.annotation_file import AnnotationFile
from glip.page.draft import Draft, without_boxes
from glip.page.kept import MOST_NAMES, KeptDetections, read_words
from glip.runtime.lock import only_writer
from glip.runtime.writing import check_place, make_folder

_LARGEST = (1000, 640)  # pixels of a view, width and height
_SHOWN = 16  # views whose images lie on the disk


@dataclass(frozen=True)
class View:
    """A picture as it is shown.

    Attributes:
        index: Of the picture in the folder.
        serial: Tells this view from earlier ones of the same picture.
        image: RGB, of a size that fits into a page.
        factor: That scales boxes of the picture to ``image``.
        boxes: In pixels of the picture.
    """

    index: int
    serial: int
    image: Image.Image
    factor: float
    boxes: Detections


class FolderSession:
    """The work on a folder, shared by all who look at the page.

    Args:
        folder: Pictures directly in it are gone through by name.
        path: COCO file of what was accepted; what one holds already is shown again.
        kept: Finds boxes in pictures that nobody looked at yet.
        text: What to find; empty for the names in the file, if any.
        threshold: Score from which on boxes are shown at first.

    Attributes:
        pictures: Their paths.
        text: What is found in pictures that are opened from now on.
        broken: Why a picture cannot be read, by index.

    Raises:
        GLIPError: The folder has no pictures, the file is no COCO file or cannot be
            written, or the words cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        path: Path,
        kept: KeptDetections,
        text: str = '',
        threshold: float = 0.5,
    ) -> None:
        self.folder = folder
        self.pictures = find_images(folder)
        self.annotations = AnnotationFile(path, folder)
        if text:
            read_words(text)
        self.kept = kept
        self.text = text or self._known_words()
        self.threshold = threshold
        self.broken: dict[int, str] = {}
        self._drafts: dict[int, Draft] = {}
        self._views: dict[int, tuple[int, float]] = {}  # serial and factor of the last
        self._serials = itertools.count()
        self._lock = RLock()

    @property
    def names(self) -> list[str]:
        """What boxes may be called: names in the file, and those looked for."""
        names = list(self.annotations.names)
        if self.text:
            names += read_words(self.text).names
        return list(dict.fromkeys(names))

    @property
    def accepted(self) -> int:
        """Number of pictures that are in the file."""
        return sum(picture in self.annotations for picture in self.pictures)

    def is_accepted(self, index: int) -> bool:
        """Whether the file has the picture."""
        return self.pictures[index] in self.annotations

    def waiting(self, index: int) -> int | None:
        """The next picture, from ``index`` on and then from the first, to look at."""
        count = len(self.pictures)
        return next(
            (
                i % count
                for i in range(index, index + count)
                if not self.is_accepted(i % count) and i % count not in self.broken
            ),
            None,
        )

    def open(self, index: int) -> View:
        """Show a picture: as it was left, as the file has it, or what the model finds.

        Raises:
            ImageError: It cannot be read.
            PromptError: The words do not fit the model.
        """
        with self._lock:
            index %= len(self.pictures)
            draft = self._drafts.get(index)
            pixels = self._pixels(index)
            if draft is None:
                draft = self._begin(index, pixels)
                self._drafts[index] = draft
            return self._view(index, draft, pixels)

    def correct(self, index: int, serial: int, boxes: list[Mapping[str, Any]]) -> None:
        """Take over what was done to the boxes of a view.

        Args:
            index: Of the picture.
            serial: Of the view.
            boxes: ``xmin``, ``ymin``, ``xmax``, ``ymax`` in pixels of the view, and
                ``label``.

        Raises:
            DatasetError: The picture was shown again since, or a box is none.
        """
        with self._lock:
            last, factor = self._views.get(index, (None, 1.0))
            if last != serial:
                raise DatasetError(
                    'this picture was opened again elsewhere since; reload the page'
                )
            sides = ('xmin', 'ymin', 'xmax', 'ymax')
            try:
                corners = [[float(box[side]) for side in sides] for box in boxes]
            except (KeyError, TypeError, ValueError) as error:
                raise DatasetError(f'a box is none ({error!r})') from error
            corners_there = np.array(corners, dtype=np.float64).reshape(-1, 4)
            if not np.isfinite(corners_there).all():
                raise DatasetError('corners of a box are no numbers')
            self._drafts[index] = self._drafts[index].corrected(
                corners_there / factor,
                [str(box.get('label') or '').strip() for box in boxes],
                # Half a pixel of the view, and what a canvas loses by scaling.
                tolerance=0.6 / factor,
            )

    def set_threshold(self, index: int, threshold: float) -> View:
        """Show other proposals of the model, without running it."""
        with self._lock:
            self.threshold = threshold
            self._drafts[index] = self._drafts[index].at(threshold)
            return self.open(index)

    def find(self, index: int, text: str) -> View:
        """Look for other words from now on; boxes made by hand stay.

        Raises:
            PromptError: The words cannot be used; those before stay.
        """
        with self._lock:
            proposals = self.kept.of(str(self.pictures[index]), text)
            self.text = text
            draft = self._drafts[index].with_proposals(proposals)
            self._drafts[index] = draft.at(self.threshold)
            return self.open(index)

    def accept(self, index: int) -> None:
        """Write the picture's boxes into the file.

        Raises:
            GLIPError: A box has no name, or the file cannot be written. Nothing is lost
                then.
        """
        with self._lock:
            boxes = self._drafts[index].boxes
            if not all(boxes.names):
                raise DatasetError('a box has no name: double-click it to give it one')
            self.annotations.put(self.pictures[index], boxes)
            del self._drafts[index], self._views[index]

    def _known_words(self) -> str:
        """The names in the file as words to look for."""
        names = self.annotations.names
        if not 0 < len(names) <= MOST_NAMES:
            return ''
        return '. '.join(names) + '.'  # with a stop, one name is no sentence

    def _begin(self, index: int, pixels: np.ndarray) -> Draft:
        """Boxes of a picture that is opened for the first time."""
        picture = self.pictures[index]
        empty = _nothing(picture, pixels)
        if picture in self.annotations:
            boxes = self.annotations.boxes_of(picture, empty.size)
            return Draft(empty, boxes, threshold=self.threshold)
        proposals = self.kept.of(str(picture), self.text) if self.text else empty
        return Draft(proposals, without_boxes(proposals), threshold=self.threshold)

    def _pixels(self, index: int) -> np.ndarray:
        """(H, W, 3) RGB."""
        try:
            return load_image(self.pictures[index])[..., ::-1]
        except ImageError as error:
            self.broken[index] = str(error)
            raise

    def _view(self, index: int, draft: Draft, pixels: np.ndarray) -> View:
        height, width = pixels.shape[:2]
        factor = min(_LARGEST[0] / width, _LARGEST[1] / height)
        small = Image.fromarray(np.ascontiguousarray(pixels)).resize(
            (max(1, round(width * factor)), max(1, round(height * factor))),
            Image.Resampling.BILINEAR,
        )
        view = View(index, next(self._serials), small, factor, draft.boxes)
        self._views[index] = view.serial, view.factor
        return view


def _nothing(picture: Path, pixels: np.ndarray) -> Detections:
    """A picture without boxes."""
    height, width = pixels.shape[:2]
    return Detections(
        boxes=np.zeros((0, 4)),
        scores=[],
        labels=[],
        names=[],
        size=(width, height),
        image=str(picture),
        source=str(picture),
    )


def one_page(path: Path) -> AbstractContextManager[None]:
    """Hold a file of annotations, so that no second page writes it.

    Raises:
        GLIPError: Another page does, or the file cannot be written.
    """
    check_place(path)
    folder = make_folder(path.absolute().parent)
    return only_writer(
        folder / f'.{path.name}.lock',
        f'{path}: another page works on it; close that one, or name another --out',
        GLIPError,
    )


def save_view(view: View, folder: Path) -> Path:
    """Write the image of a view, named so that :func:`view_of` knows it again.

    Those of views long ago are removed.
    """
    for path in folder.glob('*-*.jpg'):
        if view_of(path.name)[1] <= view.serial - _SHOWN:
            path.unlink(missing_ok=True)
    path = folder / f'{view.index}-{view.serial}.jpg'
    view.image.save(path, quality=92)
    return path


def view_of(name: str) -> tuple[int, int]:
    """Index and serial of the view that a file shows.

    Raises:
        DatasetError: It is none, but a picture that was dropped onto the page.
    """
    index, _, serial = Path(name).stem.partition('-')
    if not (index.isdecimal() and serial.isdecimal()):
        raise DatasetError(f'{name}: not a picture of this folder; reload the page')
    return int(index), int(serial)
