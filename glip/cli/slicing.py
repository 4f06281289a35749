"""Large pictures, looked at in parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from glip.apis import Detections, Detector
from glip.errors import GLIPError
from glip.images import ImageSource, load_image
from glip.runtime.extra import require
from glip.runtime.values import DEFAULT, Threshold
from glip.text import TextPrompt

# Overlap above which boxes of one class from two parts are one thing.
_IOU = 0.5


def detect_in_slices(
    detector: Detector,
    image: ImageSource,
    prompt: TextPrompt,
    *,
    size: int = 640,
    overlap: float = 0.2,
    threshold: Threshold = DEFAULT,
) -> Detections:
    """Detect in overlapping parts of a picture and in the whole, and merge the boxes.

    Small things fill more of a part than of the picture; large ones are seen whole in
    the picture. The parts are supervision's ``InferenceSlicer``'s.

    Args:
        detector: What looks.
        image: As the detector takes it.
        prompt: What to look for.
        size: Side of a part in pixels.
        overlap: Share of a part that its neighbour sees as well.
        threshold: As the detector takes it.

    Raises:
        GLIPError: supervision is not installed, or a number is out of range.
        ImageError: The picture cannot be read.
    """
    if size < 32:
        raise GLIPError(f'--slice must be at least 32 pixels, not {size}')
    if not 0 <= overlap < 1:
        raise GLIPError(f'--overlap is a share from 0 to below 1, not {overlap}')
    supervision = require('supervision', 'formats')
    whole: Any = detector(image, prompt, threshold=threshold)
    pixels = load_image(image)
    if max(pixels.shape[:2]) <= size:
        return whole

    def look(part: np.ndarray) -> Any:
        detections: Any = detector(
            np.ascontiguousarray(part), prompt, threshold=threshold
        )
        return detections.to_supervision()

    slicer = supervision.InferenceSlicer(
        callback=look,
        slice_wh=size,
        overlap_wh=round(size * overlap),
        overlap_filter=supervision.OverlapFilter.NONE,
    )
    parts = slicer(pixels)
    if not len(parts):
        return whole
    labels = np.concatenate([whole.labels, parts.class_id])
    merged = replace(
        whole,
        boxes=np.concatenate([whole.boxes, parts.xyxy]),
        scores=np.concatenate([whole.scores, parts.confidence]),
        labels=labels,
        names=[prompt.names[label] for label in labels],
    )
    return merged.nms(_IOU)
