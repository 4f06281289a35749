"""What was found in one picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from glip.errors import ConfigError, ImageError
from glip.formats import coco, csv_table, cvat, label_studio, voc, yolo
from glip.formats.boxes import class_list, rows, shortest
from glip.images import load_image
from glip.ops import batched_nms
from glip.runtime.extra import require
from glip.runtime.values import check_count, check_score, is_number
from glip.visualization.drawing import blur_boxes, draw_detections


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
        classes: All names that were asked for, by ``labels``.
        frame: Number of the frame, from 0, if the picture is one of a video.
        time: Its seconds since the video's start.

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
    classes: Sequence[str] = field(default=(), repr=False)
    frame: int | None = None
    time: float | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen for everyone else
        set_field(self, 'boxes', np.asarray(self.boxes, dtype=np.float32))
        set_field(self, 'scores', np.asarray(self.scores, dtype=np.float32))
        set_field(self, 'labels', np.asarray(self.labels, dtype=np.int64))
        set_field(self, 'names', list(self.names))
        set_field(self, 'classes', list(self.classes) or class_list([self]))
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
        return replace(
            self,
            boxes=self.boxes[chosen],
            scores=self.scores[chosen],
            labels=self.labels[chosen],
            names=[self.names[i] for i in chosen],
        )

    def __iter__(self) -> Iterator[Detections]:
        return (self[i] for i in range(len(self)))

    def above(self, threshold: float | Mapping[str, float]) -> Detections:
        """Keep what scores at least ``threshold``.

        Args:
            threshold: One for all, or one per class name; classes that it does not
                name are kept as they are.

        Raises:
            ConfigError: It is no number from 0 to 1.
        """
        if isinstance(threshold, Mapping):
            limits = [
                check_score(threshold.get(name, 0.0), f'threshold of {name}')
                for name in self.names
            ]
            return self[self.scores >= np.asarray(limits, dtype=np.float32)]
        threshold = check_score(threshold, 'threshold')
        return self[self.scores >= np.float32(threshold)]

    def nms(self, iou: float, *, class_agnostic: bool = False) -> Detections:
        """Keep, of boxes that overlap by more than ``iou``, the best, best first.

        Args:
            iou: Intersection over union, from 0 to 1.
            class_agnostic: Compare boxes of different classes as well, so that a thing
                has one name.

        Raises:
            ConfigError: ``iou`` is no number from 0 to 1.
        """
        iou = check_score(iou, 'iou')
        labels = np.zeros_like(self.labels) if class_agnostic else self.labels
        kept_boxes = batched_nms(
            torch.from_numpy(self.boxes),
            torch.from_numpy(self.scores),
            torch.from_numpy(labels),
            iou,
        )
        return self[kept_boxes.numpy()]

    def top(self, count: int) -> Detections:
        """Keep the ``count`` best.

        Raises:
            ConfigError: ``count`` is no whole number from 0 on.
        """
        order = np.argsort(-self.scores, kind='stable')
        return self[order[: check_count(count, 'count', least=0)]]

    def larger_than(self, side: float) -> Detections:
        """Keep boxes whose width and height are at least ``side`` pixels.

        Raises:
            ConfigError: ``side`` is no number.
        """
        if not is_number(side):
            raise ConfigError(f'side must be a number of pixels, not {side!r:.60}')
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return self[(sides >= side).all(1)]

    def without_pixels(self) -> Detections:
        """The same boxes without what a picture in memory takes."""
        return replace(self, source=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, ready for ``json.dump``.

        ``bboxes``, ``scores`` and ``labels`` are called as in MMDetection; beside
        them stand ``label_names``, ``image`` and ``size`` ([width, height]), and of a
        frame of a video ``frame`` and ``time``.
        """
        result = {
            'image': self.image,
            'size': list(self.size),
            'bboxes': [[shortest(value) for value in box] for box in self.boxes],
            'scores': [shortest(score) for score in self.scores],
            'labels': self.labels.tolist(),
            'label_names': list(self.names),
        }
        if self.frame is not None:
            result.update(frame=self.frame, time=self.time)
        return result

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Detections:
        """What :meth:`to_dict` gave, without the pixels.

        Raises:
            ValueError: The record is not of that kind.
        """
        try:
            return cls(
                boxes=np.array(record['bboxes'], dtype=np.float32).reshape(-1, 4),
                scores=record['scores'],
                labels=record['labels'],
                names=record['label_names'],
                size=record['size'],
                image=record['image'],
                source=record['image'],
                frame=record.get('frame'),
                time=record.get('time'),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f'no record of detections ({error!r})') from error

    def to_json(self) -> str:
        """:meth:`to_dict` as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_coco(self) -> dict[str, Any]:
        """COCO object of this picture; see :func:`glip.formats.coco.to_coco`."""
        return coco.to_coco([self])

    def to_csv(self) -> str:
        """One line per box below a header; see :mod:`glip.formats.csv_table`."""
        return csv_table.to_csv([self])

    def to_yolo(self, *, scores: bool = False) -> str:
        """Label file of YOLO; the indices are those of :attr:`classes`."""
        return yolo.to_yolo(self, class_list([self]), scores=scores)

    def to_voc(self) -> str:
        """PASCAL VOC's XML."""
        return voc.to_voc(self)

    def to_cvat(self) -> str:
        """CVAT's XML 1.1 for images."""
        return cvat.to_cvat([self])

    def to_label_studio(self) -> list[dict[str, Any]]:
        """Label Studio's task with the boxes as a prediction."""
        return label_studio.to_label_studio([self])

    def to_pandas(self) -> Any:
        """``pandas.DataFrame`` with a row per box.

        Raises:
            GLIPError: pandas is not installed.
        """
        frame = require('pandas', 'formats').DataFrame
        return frame(list(rows(self)), columns=list(csv_table.COLUMNS))

    def to_supervision(self) -> Any:
        """``supervision.Detections``, names under ``data['class_name']``.

        Raises:
            GLIPError: supervision is not installed.
        """
        return require('supervision', 'formats').Detections(
            xyxy=self.boxes,
            confidence=self.scores,
            class_id=self.labels.astype(int),
            data={'class_name': np.array(self.names, dtype=str)},
        )

    def crops(self, image: Any = None) -> list[Image.Image]:
        """Cut out every box, in the order of the boxes.

        Args:
            image: As :meth:`plot` takes it.

        Raises:
            ImageError: The picture is gone, or was never known.
        """
        canvas = self._picture(image)
        first = np.minimum(self.boxes[:, :2].astype(int), np.subtract(self.size, 1))
        last = np.ceil(self.boxes[:, 2:]).astype(int)
        last = np.clip(last, first + 1, self.size)  # at least a pixel
        return [canvas.crop(box) for box in np.hstack([first, last]).tolist()]

    def plot(
        self,
        image: Any = None,
        *,
        palette: str = 'none',
        tags: bool = True,
        blur: bool = False,
    ) -> Image.Image:
        """Draw the boxes with names and scores on the picture.

        Args:
            image: The picture, if it cannot be read again from where it came.
            palette: ``coco``, ``voc``, ``citys``, ``random``, or ``none`` for
                colours as far apart as can be.
            tags: Write names and scores beside the boxes.
            blur: Blur what is in the boxes, such as faces.

        Returns:
            An RGB image of the size of the original.

        Raises:
            ImageError: The picture is gone, or was never known.
        """
        canvas = self._picture(image)
        if blur:
            blur_boxes(canvas, self.boxes)
        return draw_detections(
            canvas,
            self.boxes,
            self.scores,
            self.labels,
            self.names,
            palette=palette,
            tags=tags,
        )

    def _picture(self, image: Any) -> Image.Image:
        """The picture in RGB, read again from where it came if it is not given."""
        source = self.source if image is None else image
        if source is None:
            source = self.image
        if source is None:
            raise ImageError('there is no picture to draw on: give it as an argument')
        pixels = load_image(source)
        if (pixels.shape[1], pixels.shape[0]) != self.size:
            raise ImageError(
                f'the picture is {pixels.shape[1]}x{pixels.shape[0]} but the boxes '
                f'belong to one of {self.size[0]}x{self.size[1]}'
            )
        return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))
