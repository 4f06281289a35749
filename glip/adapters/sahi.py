"""GLIP as a detection model of sahi, which looks at large pictures in slices."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from glip.adapters.prompted import DEFAULT_MODEL, PromptedDetector
from glip.apis.pairing import Text
from glip.errors import ConfigError, PromptError
from glip.runtime.extra import optional_base, require
from glip.runtime.values import DEFAULT, Threshold

if TYPE_CHECKING:
    from sahi.models.base import DetectionModel
else:
    DetectionModel = optional_base('sahi.models.base', 'DetectionModel')


class SahiModel(DetectionModel):
    """What ``sahi.predict.get_sliced_prediction`` takes as ``detection_model``.

    Args:
        model_path: A name from the zoo or an ONNX file; with ``config_path``, which is
            a config file, a checkpoint or the name of one.
        text: What to look for, as :class:`glip.apis.Detector` takes it; without it, the
            names of ``category_mapping``.
        confidence_threshold: ``'default'`` is the model's own.
        **options: As sahi's ``DetectionModel`` takes them, ``model`` being a detector.
            ``category_mapping`` maps ids to class names; without it classes count from
            0 in the order of ``text``.

    Raises:
        GLIPError: sahi is not installed.
        PromptError: There are no words, or ``category_mapping`` lacks one of them.
        ConfigError: No such model or device, or an ``image_size``, which the config of
            the model settles.
    """

    category_mapping: Any
    confidence_threshold: Any

    def __init__(
        self,
        model_path: str | os.PathLike[str] | None = None,
        *,
        text: Text | None = None,
        confidence_threshold: Threshold = DEFAULT,
        **options: Any,
    ) -> None:
        require('sahi.models.base')
        if options.get('image_size') is not None:
            raise ConfigError('image_size: the test pipeline of the config settles it')
        self.text = text
        # The threshold is a number once the model is there.
        options['confidence_threshold'] = confidence_threshold
        path = None if model_path is None else os.fspath(model_path)
        super().__init__(path, **options)

    def load_model(self) -> None:
        """Load what ``model_path`` and ``config_path`` name."""
        if self.config_path is None:
            self._use(self.model_path or DEFAULT_MODEL, device=self.device)
        else:
            self._use(self.config_path, weights=self.model_path, device=self.device)

    def set_model(self, model: Any, **kwargs: Any) -> None:
        """Take a detector that is loaded already."""
        self._use(model)

    def _use(self, model: Any, **options: Any) -> None:
        names = list((self.category_mapping or {}).values())
        self.model = PromptedDetector(
            self.text if self.text is not None else names or None,
            model,
            threshold=self.confidence_threshold,
            **options,
        )
        self.confidence_threshold = self.model.threshold
        if not names:
            self.category_mapping = {
                str(number): name for number, name in enumerate(self.model.classes)
            }
        known = self.category_names
        missing = [name for name in self.model.classes if name not in known]
        if missing:
            raise PromptError(f'category_mapping has no id for {missing[0]!r:.80}')

    @property
    def category_names(self) -> list[str]:
        """Names of the classes, in the order of ``category_mapping``."""
        return list(self.category_mapping.values())

    @property
    def num_categories(self) -> int:
        """How many classes there are."""
        return len(self.category_mapping)

    @property
    def has_mask(self) -> bool:
        """Whether it outlines things: it gives boxes only."""
        return False

    def perform_inference(self, image: np.ndarray) -> None:
        """Detect in one picture, (H, W, 3) uint8 RGB."""
        self.perform_batch_inference([image])

    def perform_batch_inference(self, images: list[np.ndarray]) -> None:
        """Detect in several pictures at a time."""
        self._original_predictions = self.model(
            images,
            threshold=self.confidence_threshold,
            rgb=True,
            batch_size=max(len(images), 1),
        )

    def _create_object_prediction_list_from_original_predictions(
        self,
        shift_amount_list: list | None = None,
        full_shape_list: list | None = None,
    ) -> None:
        compatibility = require('sahi.utils.compatibility')
        kind = require('sahi.prediction').ObjectPrediction
        results = self._original_predictions
        shifts = compatibility.fix_shift_amount_list(shift_amount_list or [[0, 0]])
        shapes = compatibility.fix_full_shape_list(full_shape_list)
        ids = {name: int(key) for key, name in self.category_mapping.items()}
        self._object_prediction_list_per_image = [
            [
                kind(
                    bbox=box.tolist(),
                    category_id=ids[name],
                    category_name=name,
                    score=float(score),
                    shift_amount=shift,
                    full_shape=shape,
                )
                for box, score, name in zip(
                    detections.boxes, detections.scores, detections.names, strict=True
                )
            ]
            for detections, shift, shape in zip(
                results, shifts, shapes or [None] * len(results), strict=True
            )
        ]
