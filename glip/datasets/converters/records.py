"""Samples as lines of ODVG, the format in which all sources look alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glip.datasets.sample import (
    Box,
    DetectionSample,
    GroundingSample,
    Phrase,
    Sample,
)

_DECIMALS = 6  # undoes x + w = 44.57000000000001, and no annotation is finer


def detection_record(sample: DetectionSample, names: Sequence[str]) -> dict[str, Any]:
    """One picture with boxes of classes; those of crowds are not to be in it.

    Args:
        sample: The picture.
        names: What its labels index.
    """
    instances = [
        {'bbox': rounded(box), 'label': label, 'category': names[label]}
        for box, label in zip(sample.boxes, sample.labels)
    ]
    for instance, score in zip(instances, sample.scores):
        instance['score'] = round(score, _DECIMALS)
    return {**_head(sample), 'detection': {'instances': instances}}


def grounding_record(sample: GroundingSample) -> dict[str, Any]:
    """One picture with a sentence and the boxes of its phrases."""
    regions = [_region(phrase, sample.caption) for phrase in sample.phrases]
    return {
        **_head(sample),
        'grounding': {'caption': sample.caption, 'regions': regions},
    }


def rounded(box: Sequence[float]) -> list[float]:
    """Coordinates without the digits that come from adding and subtracting."""
    values = (round(value, _DECIMALS) for value in box)
    return [int(value) if value == int(value) else value for value in values]


def corners(bbox: Sequence[float]) -> Box:
    """COCO's corner and size as corners (x1, y1, x2, y2)."""
    x, y, w, h = bbox
    return x, y, x + w, y + h


def xywh(box: Box) -> list[float]:
    """Corners as COCO's corner and size."""
    x1, y1, x2, y2 = box
    return rounded((x1, y1, x2 - x1, y2 - y1))


def _head(sample: Sample) -> dict[str, Any]:
    head: dict[str, Any] = {
        'filename': sample.file_name,
        'height': sample.height,
        'width': sample.width,
    }
    if sample.image_id is not None:
        head['image_id'] = sample.image_id
    return head


def _region(phrase: Phrase, caption: str) -> dict[str, Any]:
    """A phrase; a single span, box or score stands without a list around it."""
    boxes = [rounded(box) for box in phrase.boxes]
    words = [caption[begin:end] for begin, end in phrase.spans]
    region: dict[str, Any] = {
        'bbox': boxes[0] if len(boxes) == 1 else boxes,
        'phrase': words[0] if len(words) == 1 else words,
        'tokens_positive': [list(span) for span in phrase.spans],
    }
    if phrase.scores:
        scores = [round(score, _DECIMALS) for score in phrase.scores]
        region |= {'score': scores[0]} if len(scores) == 1 else {'scores': scores}
    return region
