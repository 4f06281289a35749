"""GLIP as a model of FiftyOne, for ``dataset.apply_model``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from glip.adapters.prompted import DEFAULT_MODEL, Model, PromptedDetector
from glip.apis import Detections
from glip.apis.pairing import Text
from glip.runtime.extra import optional_base, require
from glip.runtime.values import DEFAULT, Threshold

if TYPE_CHECKING:
    from fiftyone import Model as _Base
else:
    _Base = optional_base('fiftyone', 'Model')


class FiftyOneModel(_Base):
    """What ``dataset.apply_model`` takes.

    Args:
        text: What to look for, as :class:`glip.apis.Detector` takes it.
        model: A name from the zoo, a config, or a detector.
        weights: See :func:`glip.load`.
        device: See :func:`glip.load`.
        threshold: Lowest score where ``apply_model`` gets no ``confidence_thresh``;
            ``'default'`` is the model's own.

    Raises:
        GLIPError: FiftyOne is not installed.
        PromptError: The words cannot be used, or there are none.
        ConfigError: No such model or device, or the threshold is no score.
    """

    media_type = 'image'
    # The detector prepares pictures itself, of any size.
    ragged_batches = False
    transforms = None
    preprocess = True

    def __init__(
        self,
        text: Text | None,
        model: Model = DEFAULT_MODEL,
        *,
        weights: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        threshold: Threshold = DEFAULT,
    ) -> None:
        require('fiftyone')
        self.prompted = PromptedDetector(
            text, model, weights=weights, device=device, threshold=threshold
        )
        # apply_model sets it to the confidence_thresh that it is called with.
        self.config = SimpleNamespace(confidence_thresh=self.prompted.threshold)

    def predict(self, arg: np.ndarray) -> Any:
        """``fiftyone.Detections`` of a picture, (H, W, 3) uint8 RGB."""
        return self.predict_all([arg])[0]

    def predict_all(self, args: Iterable[np.ndarray]) -> list[Any]:
        """``fiftyone.Detections`` of several pictures, seen at a time."""
        images = list(args)
        results = self.prompted(
            images,
            threshold=self.config.confidence_thresh,
            rgb=True,
            batch_size=max(len(images), 1),
        )
        return [_labels(detections) for detections in results]


def _labels(detections: Detections) -> Any:
    """Boxes as x, y, width and height, in shares of the picture."""
    fiftyone = require('fiftyone')
    shares = detections.boxes.astype(float) / np.array(detections.size * 2)
    shares[:, 2:] -= shares[:, :2]
    return fiftyone.Detections(
        detections=[
            fiftyone.Detection(label=name, bounding_box=box, confidence=score)
            for name, box, score in zip(
                detections.names,
                shares.tolist(),
                detections.scores.tolist(),
                strict=True,
            )
        ]
    )
