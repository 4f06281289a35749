"""Words and pictures in, detections out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any, Literal, cast

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import nn

from glip.apis.detections import Detections
from glip.apis.pairing import Text, paired, prompts_of
from glip.apis.pipeline import InferencePipeline
from glip.apis.prepared import EncodedPicture, Prepared, drawable_of, path_of
from glip.checkpoints import load_prompt
from glip.config.threshold import default_threshold_of
from glip.errors import ConfigError, ImageError
from glip.images import ImageSource, image_name, is_picture, load_image
from glip.models.language import TunedPrompt
from glip.runtime.ahead import computed_ahead
from glip.runtime.feature_cache import FeatureCache, Recent
from glip.runtime.precision import autocasting, half_precision
from glip.runtime.values import (
    DEFAULT,
    Threshold,
    check_count,
    check_threshold,
)
from glip.text import TextPrompt

OnError = Literal['raise', 'return']
Picture = ImageSource | EncodedPicture
Prompt = str | os.PathLike | TunedPrompt
_PACKED = ('inputs', 'data_samples')  # What a test pipeline makes of a picture.
_PROMPTS = 64  # Files of tuned prompts that are kept in memory.


class Detector:
    """A model with its test pipeline, called with pictures and words.

    Args:
        model: Built, loaded, in evaluation mode, on its device.
        cfg: The whole config; its test pipeline prepares the pictures.
        amp: Half precision, see :func:`glip.runtime.precision.half_precision`; True
            for ``'auto'``, False for float32.

    Raises:
        ConfigError: This machine does not have that precision.
    """

    def __init__(
        self, model: nn.Module, cfg: Config, *, amp: bool | str = False
    ) -> None:
        self.model: Any = model
        self.cfg = cfg
        self.precision = half_precision(amp)
        self.pipeline = InferencePipeline.from_config(cfg)
        self._cache = FeatureCache()
        self._prompts: Recent[TunedPrompt] = Recent(_PROMPTS)

    @property
    def default_threshold(self) -> float:
        """Score from which on detections are kept where the caller names none."""
        return default_threshold_of(self.cfg)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        tensors = (*self.model.parameters(), *self.model.buffers())
        return tensors[0].device if tensors else torch.device('cpu')

    def __call__(
        self,
        images: Picture | Iterable[Picture],
        text: Text | None = None,
        *,
        texts: Iterable[Text] | None = None,
        threshold: Threshold = DEFAULT,
        batch_size: int = 1,
        custom_entities: bool | None = None,
        tokens_positive: Any = None,
        chunked_size: int | None = None,
        prompt: Prompt | None = None,
        on_error: OnError = 'raise',
        rgb: bool = False,
    ) -> Detections | ImageError | list[Detections | ImageError]:
        """Find what the words name.

        Args:
            images: A picture, as :func:`glip.apis.load_image` takes it, or what
                :meth:`encode` made of one; or any iterable of them.
            text: What to look for in every picture: ``'bench. car'``,
                ``['bench', 'car']``, a sentence, ``'$: coco'``, a mapping from prompt
                text to class name, or a ``TextPrompt``.
            texts: Instead of ``text``, one such prompt per picture.
            threshold: Score from 0 to 1; detections that score less are left out.
                ``'default'`` takes :attr:`default_threshold`.
            batch_size: Pictures in memory at a time; what is found does not depend on
                it, but with ``test_cfg.joint_batch``.
            custom_entities: True takes a string as class names, never as a sentence;
                None decides by its form.
            tokens_positive: Character spans of each entity in ``text``; -1 makes the
                whole text one entity.
            chunked_size: Class names per prompt where a list is split; -1 puts as
                many as fit, None leaves what the config says.
            prompt: What prompt tuning has learned for these words, as its file or from
                :meth:`load_prompt`; its words where there is no ``text``. None takes
                the prompt that the detector was loaded with, if any.
            on_error: ``'raise'`` stops at a picture that cannot be read;
                ``'return'`` puts the error in the place of its detections.
            rgb: Arrays come in RGB.

        Returns:
            Detections of a single picture, else a list in the order of the pictures.

        Raises:
            ImageError: A picture cannot be read, or was encoded by another detector.
            PromptError: The words cannot be used, are not as many as the pictures, or
                are not those of the prompt.
            CheckpointError: The prompt cannot be read, or is of another model.
            ConfigError: ``threshold`` is no score, or a count no whole number.
        """
        single = isinstance(images, EncodedPicture) or is_picture(images)
        results = self.stream(
            cast(Iterable[Picture], [images] if single else images),
            text,
            texts=[texts] if single and isinstance(texts, (str, TextPrompt)) else texts,
            threshold=threshold,
            batch_size=batch_size,
            custom_entities=custom_entities,
            tokens_positive=tokens_positive,
            chunked_size=chunked_size,
            prompt=prompt,
            on_error=on_error,
            rgb=rgb,
        )
        return next(results) if single else list(results)

    def stream(
        self,
        images: Iterable[Picture],
        text: Text | None = None,
        *,
        texts: Iterable[Text] | None = None,
        threshold: Threshold = DEFAULT,
        batch_size: int = 1,
        custom_entities: bool | None = None,
        tokens_positive: Any = None,
        chunked_size: int | None = None,
        prompt: Prompt | None = None,
        on_error: OnError = 'raise',
        rgb: bool = False,
    ) -> Iterator[Detections | ImageError]:
        """As calling the detector, but yields detections as they are found.

        Only one batch of pictures is in memory at a time; of a list, the next batch is
        read meanwhile in threads of its own. The words are checked at once, before the
        first picture is read.
        """
        if on_error not in ('raise', 'return'):
            raise ValueError(f"on_error is 'raise' or 'return', not {on_error!r:.80}")
        check_count(batch_size, 'batch_size')
        if chunked_size is not None:
            check_count(chunked_size, 'chunked_size (-1: as many as fit)', least=-1)
        least_score = check_threshold(threshold)
        if isinstance(least_score, str):
            least_score = self.default_threshold
        if not isinstance(images, Iterable):
            raise ImageError(
                f'{type(images).__name__} is neither a picture nor a list of them'
            )
        tuned = self._tuned(prompt)
        if text is None and texts is None and tuned is not None:
            text = tuned.text
        prompts = prompts_of(
            images,
            text,
            texts,
            custom_entities=custom_entities,
            tokens_positive=tokens_positive,
        )
        if tuned is not None and texts is None:
            words = dict(text=next(iter(prompts)), tuned_prompt=tuned)
            self.model.prompts_of(DetDataSample(metainfo=words))
        # With the samples, as other calls of the same model have options of their own.
        options: dict[str, Any] = dict(tuned_prompt=tuned)
        if chunked_size is not None:
            options['chunked_size'] = chunked_size
        # Pictures that are awaited, such as those of a camera, are not looked ahead to.
        several = isinstance(images, Sequence) and len(images) > batch_size
        prepared = computed_ahead(
            partial(self._prepared, options=options, rgb=rgb),
            paired(images, prompts),
            ahead=batch_size + 1 if several else 0,
        )
        return self._run(prepared, least_score, batch_size, on_error, options)

    def load_prompt(self, source: str | os.PathLike[str]) -> TunedPrompt:
        """Read a tuned prompt for calls of this detector, of which it may have many.

        Args:
            source: A ``prompt.safetensors`` of a training with ``--tuning prompt``.

        Returns:
            What calls take as ``prompt``.

        Raises:
            CheckpointError: It cannot be read, or was tuned for other weights.
        """
        return load_prompt(self.model, source)

    @property
    def words(self) -> TextPrompt | None:
        """Words of the tuned prompt that the detector was loaded with, if any."""
        tuned = self._tuned(None)
        return None if tuned is None else tuned.text

    def _tuned(self, prompt: Prompt | None) -> TunedPrompt | None:
        if prompt is None:
            return getattr(self.model, 'tuned_prompt', None)
        if isinstance(prompt, TunedPrompt):
            return prompt
        if not isinstance(prompt, str | os.PathLike):
            return self.load_prompt(prompt)  # which says what is wrong with it
        file = os.path.realpath(prompt)
        version = os.stat(file).st_mtime_ns if os.path.isfile(file) else None
        return self._prompts.get((file, version), lambda: self.load_prompt(prompt))

    def encode(self, image: ImageSource) -> EncodedPicture:
        """Compute all of a picture that needs no words, to ask about it many times.

        Without fusion (GLIP-T A) that is nearly everything, with fusion backbone and
        neck. What is found later is what a call with the picture finds.

        Args:
            image: A picture, as calls take it.

        Returns:
            What takes its place in calls of this detector. It holds about 1 KB for each
            8x8 pixels that the model sees: 23 MB at 800x1333.

        Raises:
            ImageError: The picture cannot be read.
            ConfigError: The model computes nothing without words.
        """
        if not hasattr(self.model, 'encode_pictures'):
            raise ConfigError(
                f'{type(self.model).__name__} cannot encode a picture without words: '
                'call the detector with the picture itself'
            )
        pixels = load_image(image)
        prepared = self.pipeline(pixels, path=path_of(image))
        data = {key: [prepared[key]] for key in _PACKED}
        with torch.no_grad(), autocasting(self.device, self.precision):
            data = self.model.data_preprocessor(data, False)
            features = self.model.encode_pictures(data['inputs'])
        return EncodedPicture(
            size=(pixels.shape[1], pixels.shape[0]),
            source=image,
            drawable=drawable_of(image, pixels),
            features=features,
            metainfo=data['data_samples'][0].metainfo,
            owner=self,
        )

    def _run(
        self,
        prepared: Iterator[Prepared],
        threshold: float,
        batch_size: int,
        on_error: OnError,
        options: dict[str, Any],
    ) -> Iterator[Detections | ImageError]:
        """Batch and detect; errors keep the place of their pictures."""
        while chunk := list(islice(prepared, batch_size)):
            errors = (item.error for item in chunk if item.error is not None)
            if on_error == 'raise' and (error := next(errors, None)):
                raise error
            samples = self._predict([p.inputs for p in chunk if p.inputs is not None])
            for item in chunk:
                if item.error is not None:
                    yield item.error
                    continue
                if item.encoded is None:
                    sample = next(samples)
                else:
                    sample = self._ask(item.encoded, item.prompt, options)
                yield item.detections(sample).above(threshold)

    def _prepared(
        self, pair: tuple[Picture, TextPrompt], *, options: dict[str, Any], rgb: bool
    ) -> Prepared:
        """Read a picture and make it what the model takes."""
        image, prompt = pair
        if isinstance(image, EncodedPicture):
            return Prepared(
                image.source, prompt, image.size, image.drawable, encoded=image
            )
        try:
            pixels = load_image(image, rgb=rgb)
        except ImageError as error:
            return Prepared(image, prompt, error=error)
        inputs = self.pipeline(pixels, path=path_of(image), text=prompt, **options)
        size = (pixels.shape[1], pixels.shape[0])
        return Prepared(image, prompt, size, drawable_of(image, pixels), inputs)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """A call of the model: in its precision, and reusing what calls before made."""
        with (
            torch.no_grad(),
            autocasting(self.device, self.precision),
            self._cache.in_use(self.model),
        ):
            yield

    def _ask(
        self, picture: EncodedPicture, prompt: TextPrompt, options: dict[str, Any]
    ) -> DetDataSample:
        """Predictions on an encoded picture."""
        if picture.owner is not self:
            raise ImageError(
                f'{image_name(picture.source)} was encoded by another detector: encode '
                'it with this one'
            )
        sample = DetDataSample(metainfo=picture.metainfo | options | dict(text=prompt))
        with self._computing():
            self.model.detect(picture.features, [sample])
        return sample

    def _predict(self, inputs: Sequence[dict[str, Any]]) -> Iterator[DetDataSample]:
        """Predictions of one forward pass, on each of the prepared pictures."""
        if not inputs:
            return iter(())
        data = {key: [item[key] for item in inputs] for key in _PACKED}
        with self._computing():
            return iter(self.model.test_step(data))
