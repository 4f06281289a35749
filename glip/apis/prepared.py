"""A picture on its way to the model, and back as detections."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from glip.apis.detections import Detections
from glip.errors import ImageError
from glip.images import ImageSource, image_name, is_url
from glip.models.dense_heads import PictureFeatures
from glip.text import TextPrompt


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """What :meth:`glip.Detector.encode` makes; goes wherever a picture goes.

    Attributes:
        size: Width and height of the original, in pixels.
        source: What was encoded.
        drawable: What can be drawn upon: a path, or the picture itself.
        features: All that the model computes before it reads words.
        metainfo: How the picture was prepared.
        owner: The detector, as features mean nothing to another.
    """

    size: tuple[int, int]
    source: ImageSource
    drawable: ImageSource
    features: PictureFeatures
    metainfo: dict[str, Any]
    owner: Any


@dataclass(frozen=True)
class Prepared:
    """A picture that was made what a model takes, or cannot be read.

    Attributes:
        source: Where it came from.
        prompt: What to look for.
        size: Width and height of the original, in pixels.
        drawable: What can be drawn upon later.
        inputs: What the test pipeline has made of it.
        encoded: Instead of ``inputs``, what was computed of it before.
        error: Instead of both, why it cannot be read.
    """

    source: ImageSource
    prompt: TextPrompt
    size: tuple[int, int] = (0, 0)
    drawable: ImageSource | None = None
    inputs: dict[str, Any] | None = None
    encoded: EncodedPicture | None = None
    error: ImageError | None = None

    def detections(self, sample: Any) -> Detections:
        """A predicted data sample as detections, best first, within the picture."""
        instances = sample.pred_instances
        scores = instances.scores.float().cpu().numpy()
        order = np.argsort(-scores, kind='stable')
        boxes = instances.bboxes.float().cpu().numpy().reshape(-1, 4)[order]
        labels = instances.labels.cpu().numpy()[order]
        return Detections(
            boxes=boxes.clip(0, np.array(self.size * 2, dtype=np.float32)),
            scores=scores[order],
            labels=labels,
            names=[self.prompt.names[label] for label in labels],
            size=self.size,
            image=path_of(self.source),
            source=self.drawable,
            classes=self.prompt.names,
        )


def path_of(source: ImageSource) -> str | None:
    """Name of a picture that has one."""
    return image_name(source) if isinstance(source, (str, os.PathLike)) else None


def drawable_of(source: ImageSource, pixels: np.ndarray) -> ImageSource:
    """What to draw upon later: a file can be read again, anything else must be kept."""
    if isinstance(source, (str, os.PathLike, Image.Image)) and not is_url(source):
        return source
    return pixels
