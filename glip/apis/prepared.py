"""A picture on its way to the model, and back as detections."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from PIL import Image

from glip.apis.detections import Detections
from glip.apis.encoded import EncodedPicture
from glip.errors import ImageError
from glip.images import ImageSource, image_name, is_url
from glip.text import TextPrompt


@dataclass(frozen=True)
class Prepared:
    """A picture that was read and made what a model takes.

    Attributes:
        source: Where it came from, or what was encoded of it.
        prompt: What to look for.
        pixels: (H, W, 3) uint8 BGR; None if it was encoded or cannot be read.
        inputs: What the test pipeline has made of it.
        error: Why it cannot be read.
    """

    source: ImageSource | EncodedPicture
    prompt: TextPrompt
    pixels: np.ndarray | None = None
    inputs: dict[str, Any] | None = None
    error: ImageError | None = None

    def detections(self, sample: Any) -> Detections:
        """What a predicted data sample says of the picture."""
        source, pixels = cast(ImageSource, self.source), cast(np.ndarray, self.pixels)
        size = pixels.shape[1], pixels.shape[0]
        drawable = drawable_of(source, pixels)
        return to_detections(sample, source, drawable, self.prompt, size)


def path_of(source: ImageSource) -> str | None:
    """Name of a picture that has one."""
    return image_name(source) if isinstance(source, (str, os.PathLike)) else None


def drawable_of(source: ImageSource, pixels: np.ndarray) -> ImageSource:
    """What to draw upon later: a file can be read again, anything else must be kept."""
    if isinstance(source, (str, os.PathLike, Image.Image)) and not is_url(source):
        return source
    return pixels


def to_detections(
    sample: Any,
    source: ImageSource,
    drawable: ImageSource,
    prompt: TextPrompt,
    size: tuple[int, int],
) -> Detections:
    """A predicted data sample as ``Detections``, best first, within the picture."""
    instances = sample.pred_instances
    scores = instances.scores.float().cpu().numpy()
    order = np.argsort(-scores, kind='stable')
    boxes = instances.bboxes.float().cpu().numpy().reshape(-1, 4)[order]
    labels = instances.labels.cpu().numpy()[order]
    boxes = boxes.clip(0, np.array(size * 2, dtype=np.float32))
    return Detections(
        boxes=boxes,
        scores=scores[order],
        labels=labels,
        names=[prompt.names[label] for label in labels],
        size=size,
        image=path_of(source),
        source=drawable,
        classes=prompt.names,
    )
