"""What was found in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from glip.errors import ImageError
from glip.images import load_image
from glip.runtime.values import check_score
from glip.visualization.drawing import draw_detections


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes, scores and names found in one picture.

    Attributes:
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the upright original picture.
        scores: (N,) float32 in [0, 1].
        labels: (N,) int64, index of the class among those the user asked for.
        names: N names, written as the user wrote them.
        size: (width, height) of the upright original picture.
        image: Path or address of the picture, None if it was given in memory.
        source: Where ``plot`` takes the pixels from, anything ``load_image`` reads.

    Raises:
        ValueError: The fields contradict each other.
    """

    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    size: tuple[int, int]
    image: str | None = None
    source: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen for everyone else
        set_field(self, 'boxes', np.asarray(self.boxes, dtype=np.float32))
        set_field(self, 'scores', np.asarray(self.scores, dtype=np.float32))
        set_field(self, 'labels', np.asarray(self.labels, dtype=np.int64))
        set_field(self, 'names', list(self.names))
        width, height = self.size
        set_field(self, 'size', (int(width), int(height)))
        if self.boxes.size == 0:
            set_field(self, 'boxes', self.boxes.reshape(0, 4))
        count = len(self.boxes)
        if self.boxes.shape != (count, 4):
            raise ValueError(f'boxes must be (N, 4), not {self.boxes.shape}')
        for name in ('scores', 'labels'):
            shape = getattr(self, name).shape
            if shape != (count,):
                raise ValueError(f'{name} must be ({count},), not {shape}')
        if len(self.names) != count:
            raise ValueError(f'{count} boxes need as many names, not {len(self.names)}')
        if min(self.size) < 1:
            raise ValueError(f'size must be positive (width, height), not {self.size}')

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> Detections:
        """Select by mask, slice, index array or a single index."""
        chosen = np.atleast_1d(np.arange(len(self))[index])
        return Detections(
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            labels=self.labels[chosen],
            names=[self.names[i] for i in chosen],
            size=self.size,
            image=self.image,
            source=self.source,
        )

    def __iter__(self) -> Iterator[Detections]:
        return (self[i] for i in range(len(self)))

    def above(self, threshold: float) -> Detections:
        """Keep what scores at least ``threshold``.

        Raises:
            ConfigError: It is no number from 0 to 1.
        """
        threshold = check_score(threshold, 'threshold')
        return self[self.scores >= np.float32(threshold)]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for ``json.dump``.

        ``bboxes``, ``scores`` and ``labels`` are called as in MMDetection; beside
        them stand ``label_names``, ``image`` and ``size`` ([width, height]).
        """
        return {
            'image': self.image,
            'size': list(self.size),
            'bboxes': [_shortest(box) for box in self.boxes],
            'scores': _shortest(self.scores),
            'labels': self.labels.tolist(),
            'label_names': list(self.names),
        }

    def plot(self, image: Any = None, *, palette: str = 'none') -> Image.Image:
        """Draw the boxes with names and scores on the picture.

        Args:
            image: The picture, if it cannot be read again from where it came.
            palette: ``coco``, ``voc``, ``citys``, ``random``, or ``none`` for
                colours as far apart as can be.

        Returns:
            An RGB image of the size of the original.

        Raises:
            ImageError: The picture is gone, or was never known.
        """
        source = self.source if image is None else image
        if source is None:
            source = self.image
        if source is None:
            raise ImageError('there is no picture to draw on: give plot(image)')
        pixels = load_image(source)
        if (pixels.shape[1], pixels.shape[0]) != self.size:
            raise ImageError(
                f'the picture is {pixels.shape[1]}x{pixels.shape[0]} but the boxes '
                f'belong to one of {self.size[0]}x{self.size[1]}'
            )
        canvas = Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
        return draw_detections(
            canvas, self.boxes, self.scores, self.labels, self.names, palette=palette
        )


def _shortest(values: np.ndarray) -> list[float]:
    """float32 to the shortest decimals that give the same float32 back."""
    return [float(str(value)) for value in values]
