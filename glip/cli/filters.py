"""Which of the boxes that a model gives are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glip.errors import GLIPError

if TYPE_CHECKING:
    from glip.apis.detections import Detections


@dataclass(frozen=True)
class Filters:
    """Limits that boxes must meet; what is None does not limit.

    Attributes:
        threshold: Lowest score; None for the model's own.
        class_thresholds: The same for single classes, by name.
        iou: Overlap above which the weaker of two boxes goes.
        class_agnostic: Compare boxes of all classes: one thing, one name.
        max_boxes: Best boxes of a picture.
        min_size: Smallest width and height in pixels.

    Raises:
        GLIPError: A limit is out of range.
    """

    threshold: float | None = None
    class_thresholds: Mapping[str, float] = field(default_factory=dict)
    iou: float | None = None
    class_agnostic: bool = False
    max_boxes: int | None = None
    min_size: float | None = None

    def __post_init__(self) -> None:
        shares = {'threshold': self.threshold, 'iou': self.iou, **self.class_thresholds}
        for name, value in shares.items():
            # Written so that NaN fails.
            if value is not None and not 0 <= value <= 1:
                raise GLIPError(f'{name}: must be from 0 to 1, not {value}')
        if self.max_boxes is not None and self.max_boxes < 1:
            raise GLIPError(f'max-boxes must be at least 1, not {self.max_boxes}')
        if self.min_size is not None and not self.min_size >= 0:
            raise GLIPError(f'min-size must be at least 0, not {self.min_size}')

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

    def lowest(self, default: float) -> float:
        """The score below which no class needs boxes."""
        usual = default if self.threshold is None else self.threshold
        return min([usual, *self.class_thresholds.values()])

    def __call__(self, detections: Detections, default: float) -> Detections:
        """Keep what meets all limits.

        Args:
            detections: Of one picture.
            default: Threshold where none is given.
        """
        usual = default if self.threshold is None else self.threshold
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


def read_thresholds(text: str | None) -> tuple[float | None, dict[str, float]]:
    """Read ``0.4``, or ``0.4,person=0.6,dog=0.3``, as it stands on a command line.

    Returns:
        The threshold of all classes, None if there is none, and those of single ones.

    Raises:
        GLIPError: It is neither.
    """
    usual, single = None, {}
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
