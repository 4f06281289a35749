"""Which size a picture has, in the frame that its boxes were drawn in.

Annotations may lack sizes, and of pictures that lie on their side, as cameras store
them, they may have the size of one frame and boxes of the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glip.datasets.picture_files import PictureFiles
from glip.datasets.sample import Dropped
from glip.images import PictureHeader
from glip.runtime.reading import warn

Image = Mapping[str, Any]
Boxes = Mapping[Any, Sequence[Mapping[str, Any]]]

# Why a picture is left out.
WITHOUT_SIZE = 'pictures without a size, which are not there to say it'

_SLACK = 0.01  # share of a side by which a box that fits may reach beyond it
_FEW = 0.1  # share of boxes beyond their pictures that asks for a reason


def with_sizes(
    images: Iterable[Image], files: PictureFiles, dropped: Dropped
) -> Iterator[Image]:
    """Records of pictures whose size is known: as annotated, or else of the file.

    Args:
        images: ``width`` and ``height`` are 0 where the annotations do not say them.
        files: Where the pictures are.
        dropped: Counts the pictures without.
    """
    for image in images:
        if image['width'] and image['height']:
            yield image
        elif header := files.header(image['file_name']):
            yield {**image, 'width': header.width, 'height': header.height}
        else:
            dropped.add(WITHOUT_SIZE, f'image {image["id"]}')


def with_frames(
    images: Sequence[Image], boxes: Boxes, files: PictureFiles, source: str
) -> Sequence[Image]:
    """Records whose sizes are of the frame that the boxes were drawn in.

    A picture that is stored on its side has two frames. Boxes that lie within one and
    not within the other tell which is meant; most of those that tell decide for all
    pictures that are annotated with the same kind of size.

    Args:
        images: With their sizes.
        boxes: Picture id -> annotations with ``bbox`` (x, y, w, h).
        files: Where the pictures are; without them sizes stay.
        source: The annotation file, for the log.
    """
    extents = {image['id']: _extent(boxes[image['id']]) for image in images}
    _warn_of_corners(images, boxes, extents, source)
    if not any(_fits_only_turned(image, extents[image['id']]) for image in images):
        return images
    headers = {
        image['id']: files.header(image['file_name'])
        for image in images
        if image['width'] != image['height']
    }
    votes: Counter[tuple[str, bool]] = Counter()
    for image in images:
        kind = _kind(image, headers.get(image['id']))
        if kind is not None:
            extent = extents[image['id']]
            votes[kind, True] += _fits_only_turned(image, extent)
            votes[kind, False] += _fits_only_turned(_turned(image), extent)
    wrong = {kind for kind in _KINDS if votes[kind, True] > votes[kind, False]}
    for kind in sorted(wrong):
        warn(
            f'{source}: {_KINDS[kind]} ({votes[kind, True]} pictures tell, '
            f'{votes[kind, False]} speak against it)'
        )
    return [
        _turned(image) if _kind(image, headers.get(image['id'])) in wrong else image
        for image in images
    ]


# Annotated sizes of one kind, and what it means that boxes fit the other frame.
_KINDS = {
    'stored': 'sizes are those of the pictures as stored, but boxes are of the upright '
    'ones, as EXIF turns them: the pictures are read upright',
    'upright': 'sizes are those of the upright pictures, but boxes are of the pictures '
    'as stored, before EXIF turns them: the pictures are read as stored',
    'exchanged': 'width and height are exchanged: the sizes of the pictures are used',
}


def _kind(image: Image, header: PictureHeader | None) -> str | None:
    """What the annotated size is; None where there is only one frame."""
    if header is None:
        return None
    sides = image['width'], image['height']
    if sides == (header.height, header.width):
        return 'stored' if header.turned else 'exchanged'
    return (
        'upright' if header.turned and sides == (header.width, header.height) else None
    )


def _turned(image: Image) -> Image:
    return {**image, 'width': image['height'], 'height': image['width']}


@dataclass(frozen=True)
class _Extent:
    """How far the boxes of a picture reach to the right and down."""

    right: float
    bottom: float

    def within(self, width: float, height: float) -> bool:
        slack = 1 + _SLACK
        return self.right <= width * slack + 1 and self.bottom <= height * slack + 1


def _extent(boxes: Iterable[Mapping[str, Any]]) -> _Extent:
    right = bottom = 0.0
    for annotation in boxes:
        x, y, w, h = annotation['bbox']
        right, bottom = max(right, x + w), max(bottom, y + h)
    return _Extent(right, bottom)


def _fits_only_turned(image: Image, extent: _Extent) -> bool:
    """Whether boxes reach beyond the picture, and not beyond it with sides swapped."""
    width, height = image['width'], image['height']
    return not extent.within(width, height) and extent.within(height, width)


def _warn_of_corners(
    images: Sequence[Image],
    boxes: Boxes,
    extents: Mapping[Any, _Extent],
    source: str,
) -> None:
    """Say where boxes seem to be corners, written in the place of width and height."""
    total = beyond = 0
    for image in images:
        width, height = image['width'], image['height']
        outside = not extents[image['id']].within(width, height)
        for annotation in boxes[image['id']]:
            x, y, right, bottom = annotation['bbox']
            if not (x < right <= width + 1 and y < bottom <= height + 1):
                return
            total += 1
            beyond += outside
    if beyond > _FEW * total:
        warn(
            f'{source}: boxes reach beyond their pictures, and all {total} would lie '
            'within them as x1 y1 x2 y2: the bbox of COCO is x y width height, export '
            'it so'
        )
