"""Samples as bytes, which loading processes share."""

from __future__ import annotations

import pickle
from typing import Any

from glip.datasets.sample import DetectionSample, GroundingSample, Phrase, Sample


def to_bytes(sample: Sample) -> bytes:
    """Pack a sample."""
    return pickle.dumps(_plain(sample), protocol=5)


def from_bytes(data: bytes | memoryview) -> Sample:
    """The sample that this process or its parent has packed."""
    name, width, height, image_id, *rest = pickle.loads(data)
    if not isinstance(rest[0], str):
        boxes, labels, ignored, scores = rest
        return DetectionSample(
            name, width, height, boxes, labels, image_id, ignored, scores
        )
    caption, phrases, dataset_name = rest
    unpacked = tuple(Phrase(*fields) for fields in phrases)
    return GroundingSample(
        name, width, height, caption, unpacked, image_id, dataset_name
    )


def _plain(sample: Sample) -> tuple[Any, ...]:
    """Plain tuples, which pickle to a third of what objects would."""
    head = (sample.file_name, sample.width, sample.height, sample.image_id)
    if isinstance(sample, DetectionSample):
        return (*head, sample.boxes, sample.labels, sample.ignored, sample.scores)
    phrases = tuple((p.spans, p.boxes, p.scores, p.types) for p in sample.phrases)
    return (*head, sample.caption, phrases, sample.dataset_name)
