"""A detector with the words it is always asked about, as labelling tools want it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Union

import torch
from mmengine.config import Config

from glip.apis import Detections, Detector, load
from glip.apis.pairing import Text
from glip.errors import ConfigError, PromptError
from glip.runtime.values import DEFAULT, Threshold, check_threshold
from glip.text import parse_text

DEFAULT_MODEL = 'glip-nano'
# What may name a model: all that ``glip.load`` takes, or what it has returned.
Model = Union[str, 'os.PathLike[str]', Config, Detector]


def detector_of(
    model: Model,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: str | torch.device | None = None,
) -> Detector:
    """The detector itself, or the one that :func:`glip.load` makes of a name.

    Raises:
        ConfigError: No such model or device, or weights for a loaded detector.
        CheckpointError: The weights cannot be read, or are of another model.
    """
    if isinstance(model, Detector):
        if weights is not None:
            raise ConfigError('weights go with a config or a name, not with a detector')
        return model
    if not isinstance(model, (str, os.PathLike, Config)):
        raise ConfigError(
            f'a model is a name such as {DEFAULT_MODEL!r}, a config or a detector, not '
            f'{type(model).__name__}'
        )
    return load(model, weights, device)


class PromptedDetector:
    """A detector, the words it looks for, and the classes that these mean.

    Args:
        text: As :class:`glip.apis.Detector` takes it. None takes the words of the tuned
            prompt that a detector was loaded with.
        model: A name, a config, or a detector, on whose device it then stays.
        weights: See :func:`glip.load`.
        device: See :func:`glip.load`.
        threshold: Score from 0 to 1; ``'default'`` is the model's own.

    Attributes:
        classes: Names of the classes, each once.
        threshold: Lowest score where a call names none.

    Raises:
        PromptError: The words cannot be used, or there are none.
        ConfigError: No such model or device, or the threshold is no score.
        CheckpointError: The weights cannot be read, or are of another model.
    """

    def __init__(
        self,
        text: Text | None,
        model: Model = DEFAULT_MODEL,
        *,
        weights: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        threshold: Threshold = DEFAULT,
    ) -> None:
        words = model.words if text is None and isinstance(model, Detector) else text
        if words is None:
            raise PromptError("say what to look for, for example text='bench. car'")
        self.prompt = parse_text(words)
        least_score = check_threshold(threshold)
        self.detector = detector_of(model, weights=weights, device=device)
        if isinstance(least_score, str):
            least_score = self.detector.default_threshold
        self.threshold = least_score
        self.classes = tuple(dict.fromkeys(self.prompt.names))

    def __call__(
        self,
        images: Iterable[Any],
        *,
        threshold: float | None = None,
        rgb: bool = False,
        batch_size: int = 1,
    ) -> list[Detections]:
        """Detections of several pictures, in their order.

        Args:
            images: Pictures, as the detector takes them.
            threshold: Lowest score of this call; None for :attr:`threshold`.
            rgb: Arrays come in RGB.
            batch_size: Pictures in memory at a time.

        Raises:
            ImageError: A picture cannot be read.
            ConfigError: The threshold is no score.
        """
        results: Any = self.detector(
            images,
            self.prompt,
            threshold=self.threshold if threshold is None else threshold,
            rgb=rgb,
            batch_size=batch_size,
        )
        return results

    def class_ids(self, detections: Detections) -> list[int]:
        """Index of each box's class in :attr:`classes`."""
        return [self.classes.index(name) for name in detections.names]
