"""Which of a teacher's boxes become labels."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Screens:
    """Limits that boxes have to pass.

    Attributes:
        score_thr: Least score.
        nms_thr: Of two boxes of a phrase that overlap by more, the better stays.
        max_per_phrase: Most boxes of a phrase or class; 0 for any number.
        max_per_picture: Most boxes of a picture with one caption; 0 for any number.
        min_size: Least width and height in pixels of the picture.
    """

    score_thr: float = 0.5
    nms_thr: float = 0.6
    max_per_phrase: int = 20
    max_per_picture: int = 100
    min_size: float = 4.0
