"""Which of the boxes that a model gives are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glip.errors import GLIPError
from glip.runtime.values import (
    DEFAULT,
    Threshold,
    check_count,
    check_score,
    check_threshold,
    is_number,
)

if TYPE_CHECKING:
    from glip.apis.detections import Detections


@dataclass(frozen=True)
class Filters:
    """Limits that boxes must meet; an overlap, number or size of None does not limit.

    Attributes:
        threshold: Lowest score; ``'default'`` for the model's own.
        class_thresholds: The same for single classes, by name.
        iou: Overlap above which the weaker of two boxes goes.
        class_agnostic: Compare boxes of all classes: one thing, one name.
        max_boxes: Best boxes of a picture.
        min_size: Smallest width and height in pixels.

    Raises:
        GLIPError: A limit is out of range.
    """

    threshold: Threshold = DEFAULT
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    iou: float | None = None
    class_agnostic: bool = False
    max_boxes: int | None = None
    min_size: float | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        for name, value in self.class_thresholds.items():
            check_score(value, f'threshold of {name}')
        if self.iou is not None:
            check_score(self.iou, 'iou')
        if self.max_boxes is not None:
            check_count(self.max_boxes, 'max-boxes')
        size = self.min_size
        if size is not None and (not is_number(size) or size < 0):
            raise GLIPError(f'min-size must be a number from 0 on, not {size!r:.60}')

    def check_names(self, names: tuple[str, ...]) -> None:
        """Refuse thresholds of classes that nobody asks for.

        Raises:
            GLIPError: There is one.
        """
        for name in self.class_thresholds:
            if name not in names:
                raise GLIPError(
                    f'threshold of {name!r}: the words ask for {", ".join(names[:20])}'
                )

    def _usual(self, default: float) -> float:
        """The score that classes need that have no threshold of their own."""
        return default if isinstance(self.threshold, str) else self.threshold

    def lowest(self, default: float) -> float:
        """The score below which no class needs boxes."""
        return min([self._usual(default), *self.class_thresholds.values()])

    def __call__(self, detections: Detections, default: float) -> Detections:
        """Keep what meets all limits.

        Args:
            detections: Of one picture.
            default: Threshold where none is given.
        """
        usual = self._usual(default)
        if self.class_thresholds:
            limits = dict.fromkeys(detections.names, usual) | dict(
                self.class_thresholds
            )
            detections = detections.above(limits)
        else:
            detections = detections.above(usual)
        if self.min_size is not None:
            detections = detections.larger_than(self.min_size)
        if self.iou is not None or self.class_agnostic:
            iou = 0.5 if self.iou is None else self.iou
            detections = detections.nms(iou, class_agnostic=self.class_agnostic)
        return detections if self.max_boxes is None else detections.top(self.max_boxes)


def read_thresholds(text: str | None) -> tuple[Threshold, dict[str, float]]:
    """Read ``0.4``, or ``0.4,person=0.6,dog=0.3``, as it stands on a command line.

    Returns:
        The threshold of all classes, ``'default'`` where none is named, and those of
        single ones.

    Raises:
        GLIPError: It is neither.
    """
    usual: Threshold = DEFAULT
    single: dict[str, float] = {}
    for part in (text or '').split(','):
        if not part.strip():
            continue
        name, equals, value = part.rpartition('=')
        try:
            score = float(value)
        except ValueError:
            raise GLIPError(
                f'--threshold {text}: give a score such as 0.4, or 0.4,person=0.6'
            ) from None
        if equals:
            single[name.strip()] = score
        else:
            usual = score
    return usual, single
