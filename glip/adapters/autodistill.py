"""GLIP as a base model of autodistill, which labels folders for smaller models."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from glip.adapters.prompted import DEFAULT_MODEL, Model, PromptedDetector
from glip.errors import PromptError
from glip.runtime.extra import optional_base, require
from glip.runtime.values import DEFAULT, Threshold

if TYPE_CHECKING:
    from autodistill.detection import DetectionBaseModel
else:
    DetectionBaseModel = optional_base('autodistill.detection', 'DetectionBaseModel')


class AutodistillModel(DetectionBaseModel):
    """A ``DetectionBaseModel``: ``model.label(folder)`` writes a data set.

    Args:
        ontology: autodistill's ``CaptionOntology``, from prompt text to class name.
        model: A name from the zoo, a config, or a detector.
        weights: See :func:`glip.load`.
        device: See :func:`glip.load`.
        threshold: Lowest score; ``'default'`` is the model's own.

    Raises:
        GLIPError: autodistill is not installed.
        PromptError: The ontology is no mapping of texts.
        ConfigError: No such model or device, or the threshold is no score.
    """

    def __init__(
        self,
        ontology: Any,
        model: Model = DEFAULT_MODEL,
        *,
        weights: str | os.PathLike[str] | None = None,
        device: str | torch.device | None = None,
        threshold: Threshold = DEFAULT,
    ) -> None:
        require('autodistill.detection')
        self.ontology = ontology
        self.prompted = PromptedDetector(
            _words(ontology), model, weights=weights, device=device, threshold=threshold
        )

    def set_ontology(self, ontology: Any) -> None:
        """Look for other words from now on."""
        self.prompted = PromptedDetector(
            _words(ontology), self.prompted.detector, threshold=self.prompted.threshold
        )
        self.ontology = ontology

    def predict(self, input: Any) -> Any:
        """``supervision.Detections`` of a picture, ids as in ``ontology.classes()``.

        Args:
            input: Whatever :func:`glip.apis.load_image` reads, arrays in BGR, as
                autodistill passes them.
        """
        (detections,) = self.prompted([input])
        classes = self.ontology.classes()
        result = detections.to_supervision()
        ids = [classes.index(name) for name in detections.names]
        result.class_id = np.array(ids, dtype=int)
        return result


def _words(ontology: Any) -> dict[str, str]:
    pairs = getattr(ontology, 'promptMap', None)
    if pairs is None:
        raise PromptError(
            f"{type(ontology).__name__} is no ontology: give autodistill's "
            "CaptionOntology({'prompt text': 'class name'})"
        )
    return dict(pairs)
