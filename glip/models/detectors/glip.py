"""GLIP: a detector whose classes are the words of a prompt."""

import logging
from collections.abc import Hashable, Iterator, Sequence
from functools import partial

import torch
from mmengine.config import ConfigDict
from mmengine.logging import print_log
from mmengine.structures import InstanceData
from torch import Tensor

from glip.models.dense_heads import PictureFeatures, collect_ground_truth
from glip.models.detectors.base import BaseDetector
from glip.models.detectors.tuning import freeze_others, rest_frozen
from glip.models.detectors.words import prompt_of
from glip.models.language import (
    LanguagePrompt,
    TextFeatures,
    TunedPrompt,
    add_tuned,
    joined,
)
from glip.models.necks import FPN
from glip.ops import is_plain
from glip.registry import MODELS, build_light
from glip.runtime.feature_cache import FeatureCache, hashable
from glip.runtime.feature_store import FeatureStore
from glip.runtime.values import check_count
from glip.text import EncodedPrompt, split_prompt

# Prompts that go through the language model together.
_ENCODED_TOGETHER = 32
# Fields of a data sample that its prompts are made of.
_WORDS = ('text', 'custom_entities', 'tokens_positive', 'caption_prompt')


@MODELS.register_module()
class GLIP(BaseDetector):
    """Grounded Language-Image Pre-training (arXiv 2112.03857).

    Within a region of :class:`~glip.runtime.feature_cache.FeatureCache` calls share
    what they compute of texts and of a picture; else each call computes anew.

    Args:
        backbone: Picture encoder.
        neck: Feature pyramid.
        bbox_head: Grounding head; ``train_cfg`` and ``test_cfg`` are handed to it.
        language_model: Text encoder.
        train_cfg: ``assigner``.
        test_cfg: See :class:`ATSSVLFusionHead`; ``chunked_size`` limits the classes
            per prompt (40 for the published LVIS numbers, -1: as many as fit).
            ``joint_batch=True`` sends the pictures of a batch through the network
            together, padded to the largest, and so lets detections depend on the
            batch; by default each picture goes alone and at its own size.
            ``reuse_features=False`` computes a picture anew for each of its captions
            that follow each other; by default it is seen that they are of one picture.
        tuning: What trains: ``'full'`` all, ``'linear_probe'`` the last layers of the
            head, ``'language'`` the language model, ``'prompt'`` vectors added to the
            tokens (:class:`~glip.models.language.LanguagePrompt`).
        data_preprocessor: ``mmdet.DetDataPreprocessor``.
        init_cfg: mmengine's.

    Attributes:
        tuned_prompt: In predictions added to the words of samples that bring no
            ``tuned_prompt`` of their own.

    Raises:
        ConfigError: There is no such tuning, or it leaves nothing to train.
    """

    def __init__(
        self,
        *,
        backbone: dict,
        neck: dict,
        bbox_head: dict,
        language_model: dict,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        tuning: str = 'full',
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = build_light(neck, MODELS, FPN)
        self.language_model = MODELS.build(language_model)
        self.bbox_head = MODELS.build(
            dict(bbox_head)
            | dict(
                train_cfg=train_cfg,
                test_cfg=test_cfg,
                lang_config=self.language_model.config,
            )
        )
        self._warned_of_cut = False
        # The demo of mmdet sets the field ``chunked_size`` of a built model.
        self.test_cfg = ConfigDict(test_cfg or {})
        self.test_cfg.setdefault('chunked_size', -1)
        check_count(self.test_cfg.chunked_size, 'test_cfg.chunked_size', least=-1)
        self.joint_batch = bool((test_cfg or {}).get('joint_batch', False))
        self.reuse_features = bool((test_cfg or {}).get('reuse_features', True))
        self.language_prompt: LanguagePrompt | None = None
        self.tuned_prompt: TunedPrompt | None = None
        self.tuning = tuning
        if tuning == 'prompt':
            self.add_language_prompt()
        freeze_others(self, tuning)

    def add_language_prompt(self) -> None:
        """Give the model a prompt to tune or load, zero at first."""
        device = next(self.parameters()).device
        self.language_prompt = LanguagePrompt(
            self.language_model.language_dim, self.language_model.max_tokens
        ).to(device)

    def train(self, mode: bool = True) -> 'GLIP':
        """Switch the mode; what ``tuning`` does not train stays in evaluation mode."""
        super().train(mode)
        if mode:
            rest_frozen(self, self.tuning)
        return self

    def init_weights(self) -> None:
        """Initialise the backbone and, unless a checkpoint follows, the language."""
        self.backbone.init_weights()
        self.neck.init_weights()
        self.language_model.init_weights()

    def prompts_of(self, sample) -> tuple[EncodedPrompt, ...]:
        """Prompts of a data sample that fit the token budget.

        Args:
            sample: Data sample with ``text`` and optionally ``custom_entities``,
                ``tokens_positive``, ``caption_prompt`` and ``chunked_size``, which
                goes before that of ``test_cfg``.

        Raises:
            PromptError: If the text is missing, empty or cannot fit, or is not that of
                its tuned prompt.
        """
        key = tuple(hashable(sample.get(field)) for field in _WORDS)
        tuned = self._tuned_prompt_of(sample)
        chunk_size = sample.get('chunked_size', self.test_cfg.chunked_size)
        if tuned is not None:
            chunk_size = -1  # tuned as a whole

        def split() -> tuple[EncodedPrompt, ...]:
            return split_prompt(
                prompt_of(sample),
                self.language_model.tokenizer,
                max_tokens=self.language_model.max_tokens,
                chunk_size=chunk_size,
            )

        cache = FeatureCache.current()
        prompts = cache.prompts.get((id(self), chunk_size, key), split)
        if tuned is not None:
            tuned.require(prompts)
        return prompts

    def _tuned_prompt_of(self, sample) -> TunedPrompt | None:
        tuned = sample.get('tuned_prompt')
        return self.tuned_prompt if tuned is None else tuned

    def single_prompts(self, samples: Sequence, truncate: bool) -> list[EncodedPrompt]:
        """One prompt per picture, as training and raw outputs need it.

        Args:
            samples: Data samples with words, see :meth:`prompts_of`.
            truncate: Cut what does not fit the token budget.

        Raises:
            PromptError: The words are missing or empty, or too long and not cut.
        """
        tokenizer = self.language_model.tokenizer
        budget = self.language_model.max_tokens
        prompts_by_words: dict[Hashable, EncodedPrompt] = {}
        prompts = []
        for sample in samples:
            words = tuple(hashable(sample.get(field)) for field in _WORDS)
            if words not in prompts_by_words:
                prompts_by_words[words] = tokenizer.encode(
                    prompt_of(sample), budget, truncate=truncate
                )
            prompts.append(prompts_by_words[words])
        cut = max(sum(not tokens for tokens in p.entity_tokens) for p in prompts)
        if truncate and cut and not self._warned_of_cut:
            self._warned_of_cut = True
            print_log(
                f'{cut} names of a training prompt are past the budget of {budget} '
                'tokens, so their boxes do not train; draw fewer names per picture '
                'with the transform RandomSamplingNegPos',
                'current',
                logging.WARNING,
            )
        return prompts

    def extract_feat(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Pictures (B, 3, H, W) to pyramid levels (B, C, h, w)."""
        return self.neck(self.backbone(batch_inputs))

    def encode_levels(self, batch_inputs: Tensor) -> tuple[Tensor, ...]:
        """Backbone, neck, and the tower where that reads no words.

        In a region of :class:`~glip.runtime.feature_store.FeatureStore`, where all of
        these are frozen, each picture is computed once.

        Args:
            batch_inputs: Preprocessed pictures, shape (B, 3, H, W).

        Returns:
            Levels (B, C, h, w).
        """

        def compute(pictures: Tensor) -> tuple[Tensor, ...]:
            return self.bbox_head.encode_levels(self.extract_feat(pictures))

        store = FeatureStore.current()
        if store is None or self.tuning == 'full':
            return compute(batch_inputs)
        # Alone, so that nothing depends on which pictures were there already.
        rows = [
            store.get(picture, self._arithmetic[1:], partial(compute, picture))
            for picture in batch_inputs.split(1)
        ]
        return tuple(map(torch.cat, zip(*rows, strict=True)))

    def encode_text(
        self,
        prompts: Sequence[EncodedPrompt],
        tuned: Sequence[TunedPrompt | None] = (),
    ) -> TextFeatures:
        """Token features of prompts.

        Args:
            prompts: B prompts.
            tuned: What was tuned for each of them; the model's own ``language_prompt``
                where there is none.
        """
        if self.training or torch.is_grad_enabled():
            features = self.language_model(prompts)
        else:
            ids = tuple(prompt.input_ids for prompt in prompts)
            features = FeatureCache.current().texts.get(
                (self._arithmetic, ids), lambda: self._encode_in_groups(prompts)
            )
        return add_tuned(features, tuned, self.language_prompt)

    def _encode_in_groups(self, prompts: Sequence[EncodedPrompt]) -> TextFeatures:
        """Bound the memory that thousands of classes take on their way."""
        groups = [
            self.language_model(prompts[start : start + _ENCODED_TOGETHER])
            for start in range(0, len(prompts), _ENCODED_TOGETHER)
        ]
        return joined(groups)

    @property
    def _arithmetic(self) -> tuple:
        """Besides weights and input, what the features of this model depend on."""
        device = next(self.parameters()).device.type
        autocast = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device) if autocast else None
        return id(self), dtype, is_plain()

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Sequence):
        """Raw outputs (mode='tensor').

        Returns:
            Token logits (B, H*W, T), deltas (B, 4, H, W) and centerness logits
            (B, 1, H, W), each a tuple over levels.
        """
        prompts = self.single_prompts(batch_data_samples, truncate=False)
        text = self.encode_text(prompts)
        return self.bbox_head(self.extract_feat(batch_inputs), text)

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence
    ) -> dict[str, Tensor]:
        """Training losses (mode='loss').

        Boxes whose names lie past the token budget do not take part.
        """
        prompts = self.single_prompts(batch_data_samples, truncate=True)
        truth = collect_ground_truth(batch_data_samples, prompts)
        text = self.encode_text(prompts)
        return self.bbox_head.loss(self.encode_levels(batch_inputs), text, truth)

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence, rescale: bool = True
    ) -> Sequence:
        """Detections (mode='predict').

        A class list that does not fit one prompt becomes several over the same
        picture features; one limit per picture applies to their union.

        A picture is computed alone, without the padding that larger ones of its
        batch cause, and its words without those of others: the tower of the head
        averages over padding and reads offsets by the padded width, and even equal
        sizes are summed in another order in another batch. So detections are the
        same, to the last digit, whatever shares the batch (see ``joint_batch``).

        Returns:
            The data samples with ``pred_instances``: ``bboxes`` (N, 4) xyxy,
            ``scores`` (N,), ``labels`` (N,) into the classes given, and
            ``label_names``.
        """
        with FeatureCache.current().in_use():
            for sample in batch_data_samples:
                self.prompts_of(sample)  # unusable words raise before the work begins
            for picture, rows in self._together(batch_inputs, batch_data_samples):
                samples = [batch_data_samples[row] for row in rows]
                features = self._features_of(picture, samples)
                self.detect(features, samples, rescale=rescale)
        return batch_data_samples

    def encode_pictures(self, batch_inputs: Tensor) -> PictureFeatures:
        """What can be computed of pictures before their words are known.

        Without fusion that is nearly all; with fusion, backbone and neck.

        Args:
            batch_inputs: Preprocessed pictures, shape (B, 3, H, W).

        Returns:
            Features for any number of calls of :meth:`detect`.
        """
        return self.bbox_head.encode_pictures(self.encode_levels(batch_inputs))

    def detect(
        self, pictures: PictureFeatures, samples: Sequence, *, rescale: bool = True
    ) -> Sequence:
        """Detections in encoded pictures.

        Args:
            pictures: From :meth:`encode_pictures`.
            samples: Data samples of these pictures with ``text`` and the ``img_shape``
                and ``scale_factor`` of the pipeline.
            rescale: Give boxes in pixels of the original pictures.

        Returns:
            The data samples with ``pred_instances``, as :meth:`predict` gives them.
        """
        prompts = [self.prompts_of(sample) for sample in samples]
        tuned = [
            self._tuned_prompt_of(sample)
            for sample, of_picture in zip(samples, prompts, strict=True)
            for _ in of_picture
        ]
        flat = [each for of_picture in prompts for each in of_picture]
        results = self.bbox_head.predict(
            pictures,
            self.encode_text(flat, tuned),
            prompts,
            [sample.metainfo for sample in samples],
            rescale=rescale,
        )
        for sample, of_picture, result in zip(samples, prompts, results, strict=True):
            names = of_picture[0].prompt.names
            result.label_names = [names[label] for label in result.labels.tolist()]
            sample.pred_instances = InstanceData(**dict(result.items()))
        return samples

    def _features_of(self, picture: Tensor, samples: Sequence) -> PictureFeatures:
        """Encode pictures, but not again the one of the call before.

        Several captions of a picture follow each other in data for grounding. The path
        tells that they may be of one picture, the pixels that they are.
        """
        path = samples[0].get('img_path')
        reuses = self.reuse_features and len(samples) == 1 and path is not None
        if not reuses or torch.is_grad_enabled():
            return self.encode_pictures(picture)
        return FeatureCache.current().picture(
            (self._arithmetic, path), picture, lambda: self.encode_pictures(picture)
        )

    def _together(
        self, batch_inputs: Tensor, samples: Sequence
    ) -> Iterator[tuple[Tensor, list[int]]]:
        """Pictures that are computed together and their places in the batch."""
        if self.joint_batch:
            yield batch_inputs, list(range(len(samples)))
            return
        for row, sample in enumerate(samples):
            height, width = sample.get('pad_shape', batch_inputs.shape)[-2:]
            picture = batch_inputs[row : row + 1, :, :height, :width]
            yield picture.contiguous(), [row]
