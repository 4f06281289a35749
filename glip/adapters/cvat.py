"""GLIP as a detection function of CVAT, whose SDK and CLI annotate tasks with it."""

from __future__ import annotations

import json
import os
from typing import Any

import torch

from glip.adapters.prompted import DEFAULT_MODEL, Model, PromptedDetector
from glip.apis.pairing import Text
from glip.errors import PromptError
from glip.runtime.extra import require
from glip.runtime.values import DEFAULT, Threshold


class CvatFunction:
    """What ``cvat_sdk.auto_annotation.annotate_task`` takes as ``function``.

    Args:
        text: What to look for, as :class:`glip.apis.Detector` takes it. The class names
            are those of the task's labels.
        model: A name from the zoo, a config, or a detector.
        weights: See :func:`glip.load`.
        device: See :func:`glip.load`.
        threshold: Lowest score where the task is annotated without ``conf_threshold``;
            ``'default'`` is the model's own.

    Raises:
        GLIPError: cvat-sdk is not installed.
        PromptError: The words cannot be used, or there are none.
        ConfigError: No such model or device, or the threshold is no score.
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
        self._cvat: Any = require('cvat_sdk.auto_annotation')
        self.prompted = PromptedDetector(
            text, model, weights=weights, device=device, threshold=threshold
        )
        self.spec = self._cvat.DetectionFunctionSpec(
            labels=[
                self._cvat.label_spec(name, number, type='rectangle')
                for number, name in enumerate(self.prompted.classes)
            ]
        )

    def detect(self, context: Any, image: Any) -> list[Any]:
        """Rectangles of a PIL image, in pixels.

        Args:
            context: CVAT's; its ``conf_threshold`` goes before the function's.
            image: Any picture that :func:`glip.apis.load_image` reads.
        """
        (detections,) = self.prompted([image], threshold=context.conf_threshold)
        ids = self.prompted.class_ids(detections)
        return [
            self._cvat.rectangle(number, box)
            for number, box in zip(ids, detections.boxes.tolist(), strict=True)
        ]


def create(text: str, **options: Any) -> CvatFunction:
    """Let ``cvat-cli task auto-annotate --function-module glip.adapters.cvat`` use it.

    Args:
        text: Words, or a JSON object from prompt text to label, as a command line can
            hold it.
        **options: See :class:`CvatFunction`.

    Raises:
        PromptError: It is neither.
    """
    if not text.lstrip().startswith('{'):
        return CvatFunction(text, **options)
    try:
        words = json.loads(text)
    except json.JSONDecodeError as error:
        raise PromptError(f'text is no JSON object ({error})') from error
    return CvatFunction(words, **options)
