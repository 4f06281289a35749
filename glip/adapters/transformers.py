"""The pipeline of transformers for detecting by words, with a GLIP model in it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import tee
from typing import Any

import torch
from PIL import Image

from glip.adapters.prompted import DEFAULT_MODEL, Model, detector_of
from glip.apis import Detections, Detector
from glip.errors import ConfigError, ImageError, PromptError
from glip.images import is_picture, is_url, load_image
from glip.runtime.values import Threshold, check_count, check_threshold, is_number
from glip.text import TextPrompt

TASK = 'zero-shot-object-detection'
_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')
_EXAMPLE = "for example candidate_labels=['cat', 'remote control']"


def pipeline(
    task: str = TASK,
    model: Model | None = None,
    *,
    weights: str | os.PathLike[str] | None = None,
    device: int | str | torch.device | None = None,
    threshold: Threshold = 0.1,
    top_k: int | None = None,
    batch_size: int = 1,
) -> ZeroShotObjectDetectionPipeline:
    """What ``transformers.pipeline`` is for this task, for a GLIP model.

    Args:
        task: ``'zero-shot-object-detection'``, which is the only one.
        model: A name from the zoo, a config, or a detector; None is ``'glip-nano'``.
        weights: See :func:`glip.load`.
        device: See :func:`glip.load`; also the number of a GPU, -1 for the CPU.
        threshold: Lowest score where a call names none: 0.1 as in transformers;
            ``'default'`` is the model's own.
        top_k: Best boxes of a picture where a call names no number; None keeps all.
        batch_size: Pictures in memory at a time.

    Raises:
        ConfigError: No such task, model or device, or a number is out of range.
        CheckpointError: The weights cannot be read, or are of another model.
    """
    if task != TASK:
        raise ConfigError(f'no task {task!r:.80}: the task is {TASK!r}')
    if isinstance(device, int):
        device = f'cuda:{device}' if device >= 0 else 'cpu'
    options: dict[str, Any] = dict(
        threshold=threshold, top_k=top_k, batch_size=batch_size
    )
    _check(**options)  # said before the weights are read
    if model is None:
        model = DEFAULT_MODEL
    detector = detector_of(model, weights=weights, device=device)
    return ZeroShotObjectDetectionPipeline(detector, **options)


class ZeroShotObjectDetectionPipeline:
    """Calls and results as of the class of this name in transformers.

    A call takes a picture and its ``candidate_labels``; a list of pictures with labels
    for all or a list of labels for each; ``{'image': ..., 'candidate_labels': ...}``;
    or a list, a generator or a data set of such.

    Args:
        detector: What looks.
        threshold: See :func:`pipeline`.
        top_k: See :func:`pipeline`.
        batch_size: See :func:`pipeline`.
    """

    task = TASK

    def __init__(
        self,
        detector: Detector,
        *,
        threshold: Threshold = 0.1,
        top_k: int | None = None,
        batch_size: int = 1,
    ) -> None:
        _check(threshold, top_k, batch_size)
        self.detector = detector
        self.threshold = threshold
        self.top_k = top_k
        self.batch_size = batch_size

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return self.detector.device

    def __call__(
        self,
        image: Any,
        candidate_labels: Any = None,
        *,
        threshold: Threshold | None = None,
        top_k: int | None = None,
        batch_size: int | None = None,
        timeout: float | None = None,
        num_workers: int | None = None,
        text_queries: Any = None,
    ) -> Any:
        """Find what the labels name.

        Args:
            image: One or several pictures, see the class. A picture is a path, an
                address, a PIL image, or whatever else :func:`glip.apis.load_image`
                reads, arrays in RGB.
            candidate_labels: A label, several with commas, or a list of them.
            threshold: Lowest score; None is that of the pipeline.
            top_k: Best boxes of a picture; None is that of the pipeline, 0 all.
            batch_size: Pictures in memory at a time; None is that of the pipeline.
            timeout: Seconds that a server may stay silent.
            num_workers: Unused, as pictures are read here.
            text_queries: Old name of ``candidate_labels``.

        Returns:
            ``{'score': ..., 'label': ..., 'box': {'xmin': ..., ...}}`` per box, best
            first, corners in whole pixels. A list of these per picture for a list, and
            an iterator of such lists for a generator or a data set.

        Raises:
            PromptError: There are no labels, or something else than labels.
            ImageError: A picture cannot be read.
            ConfigError: A number is out of range.
        """
        labels = candidate_labels if text_queries is None else text_queries
        options: dict[str, Any] = dict(
            threshold=self.threshold if threshold is None else threshold,
            top_k=self.top_k if top_k is None else top_k,
            batch_size=self.batch_size if batch_size is None else batch_size,
        )
        _check(**options)
        if timeout is not None and not (is_number(timeout) and timeout > 0):
            raise ConfigError(f'timeout must be seconds above 0, not {timeout!r:.60}')
        if is_picture(image) or isinstance(image, Mapping):
            (result,) = self._run([_question(image, labels, timeout)], **options)
            return result
        if isinstance(image, (list, tuple)):
            pairs = zip(image, _labels_of_each(labels, len(image)))
            questions = [_question(item, names, timeout) for item, names in pairs]
            return list(self._run(questions, **options))
        streamed = (_question(item, labels, timeout) for item in _items(image))
        return self._run(streamed, **options)

    def _run(
        self,
        questions: Iterable[tuple[Any, TextPrompt]],
        threshold: Threshold,
        top_k: int | None,
        batch_size: int,
    ) -> Iterator[list[dict[str, Any]]]:
        first, second = tee(questions)
        results: Any = self.detector.stream(
            (image for image, _ in first),
            texts=(prompt for _, prompt in second),
            threshold=threshold,
            batch_size=batch_size,
            rgb=True,
        )
        return (_records(detections, top_k) for detections in results)


def _check(threshold: Any, top_k: Any, batch_size: Any) -> None:
    check_threshold(threshold)
    if top_k is not None:
        check_count(top_k, 'top_k', least=0)
    check_count(batch_size, 'batch_size')


def _items(images: Any) -> Iterator[Any]:
    """What a generator or a data set holds; the latter may only know an index."""
    if isinstance(images, Iterable):
        return iter(images)
    if hasattr(images, '__getitem__') and hasattr(images, '__len__'):
        return (images[index] for index in range(len(images)))
    raise ImageError(f'{type(images).__name__} is neither a picture nor a list of them')


def _labels_of_each(labels: Any, count: int) -> list[Any]:
    """Labels for each of several pictures: the same for all, or a list for each."""
    nested = isinstance(labels, (list, tuple)) and any(
        isinstance(entry, (list, tuple)) for entry in labels
    )
    if not nested:
        return [labels] * count
    if len(labels) != count:
        raise PromptError(
            f'{count} pictures but {len(labels)} lists of candidate_labels: give '
            'labels for all, or a list of them for each'
        )
    return list(labels)


def _question(image: Any, labels: Any, timeout: float | None) -> tuple[Any, TextPrompt]:
    """A picture, or a mapping that holds one, and what to look for in it."""
    if isinstance(image, Mapping):
        if 'image' not in image:
            raise ImageError(
                f"no 'image' among {', '.join(map(repr, image)) or 'no keys'}"
            )
        image, labels = image['image'], image.get('candidate_labels', labels)
    if timeout is not None and is_url(image):
        pixels = load_image(image, timeout=timeout)
        image = Image.fromarray(pixels[..., ::-1].copy())
    return image, _prompt(_label_list(labels))


def _label_list(labels: Any) -> tuple[str, ...]:
    """Labels as the caller wrote them; a string holds several with commas."""
    if labels is None:
        raise PromptError(f'candidate_labels are missing; {_EXAMPLE}')
    if isinstance(labels, str):
        labels = [part for part in map(str.strip, labels.split(',')) if part]
    if not isinstance(labels, (list, tuple)) or not all(
        isinstance(label, str) for label in labels
    ):
        raise PromptError(f'candidate_labels must be strings; {_EXAMPLE}')
    if not labels:
        raise PromptError(f'candidate_labels name nothing; {_EXAMPLE}')
    return tuple(labels)


@lru_cache(maxsize=64)
def _prompt(labels: tuple[str, ...]) -> TextPrompt:
    return TextPrompt.from_classes(labels)


def _records(detections: Detections, top_k: int | None) -> list[dict[str, Any]]:
    """Boxes as the pipelines of transformers give them."""
    if top_k:
        detections = detections.top(top_k)
    corners = detections.boxes.astype(int).tolist()  # cut off, as transformers does
    return [
        {'score': score, 'label': name, 'box': dict(zip(_CORNERS, box))}
        for score, name, box in zip(
            detections.scores.tolist(), detections.names, corners, strict=True
        )
    ]
