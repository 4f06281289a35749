"""Grounding head: words as classifier weights on ATSS anchors."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from glip.errors import ConfigError
from glip.models.language import BertConfig, TextFeatures, resolve_bert_config
from glip.models.losses import CrossEntropyLoss
from glip.models.module import Module
from glip.models.postprocess import EntityScores
from glip.registry import MODELS, TASK_UTILS, build_light
from glip.runtime.feature_cache import FeatureCache
from glip.text import EncodedPrompt

from .anchors import AnchorGenerator, inclusive_anchors
from .ground_truth import GroundTruth
from .losses import grounding_losses
from .prediction import PictureFeatures, Predictor
from .targets import Targets, make_targets
from .test_cfg import complete_test_cfg
from .tower import VLFusionModule

Levels = tuple[Tensor, ...]

_ANCHORS = dict(
    type='AnchorGenerator',
    ratios=[1.0],
    octave_base_scale=8,
    scales_per_octave=1,
    strides=[8, 16, 32, 64, 128],
    center_offset=0.5,
)
_ASSIGNER = dict(
    type='ATSSAssigner', topk=9, iou_calculator=dict(type='BboxOverlaps2D_GLIP')
)
_LOSS_CLS = dict(
    type='FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0
)
_LOSS_CENTERNESS = dict(type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1.0)


@MODELS.register_module()
class ATSSVLFusionHead(Module):
    """Detection head of GLIP (paper section 3; fields as mmdet's class of this name).

    Args:
        in_channels: Channels of every pyramid level.
        feat_channels: Same as ``in_channels``; kept for mmdet's configs.
        num_classes: Unused, the words are the classes; kept for mmdet's configs. No
            attribute: mmdet's ``NumClassCheckHook`` would compare it with the data.
        lang_model_name: Names the language model's shape when the head is built on
            its own; inside :class:`~glip.models.GLIP` the language model decides.
        lang_config: Shape of the language model, overrides ``lang_model_name``.
        early_fuse: Fuse words and picture in the tower (GLIP-T (B), (C), GLIP-L).
        num_dyhead_blocks: Blocks of the tower, 6 for T and 8 for L.
        fusion: Fields of the fusion layers, see :class:`VLFusionModule`.
        num_groups: Groups of the tower's group norms.
        use_dcn: Deformable convolutions in the tower.
        use_dyfuse: Attention over the sources of a tower block.
        use_dyrelu: DyReLU in the tower.
        use_checkpoint: Recompute the tower, except for the convolutions of DyHead, in
            the backward pass to save memory.
        residual_gate: Initial share of a block's update that passes, see
            :class:`VLFusionModule`; None for the published models.
        anchor_generator: Anchors; its strides fix the number of pyramid levels.
        bbox_coder: Box coder.
        loss_cls: Token focal loss.
        loss_bbox: Box loss, weighted by centerness.
        loss_centerness: Centerness loss.
        train_cfg: ``assigner`` (ATSS).
        test_cfg: ``nms_pre``, ``score_thr``, ``nms`` (type 'nms', ``iou_threshold``),
            ``max_per_img``, ``min_bbox_size`` (detections whose width or height in
            pixels is not larger are left out; -1, the default, keeps all), and of our
            own ``score_agg`` (MEAN, MAX, POWER, ONEHOT) and ``prompt_batch_size``
            (prompts of one picture that go through a fused tower together, fewer of
            a large picture).

    Raises:
        ConfigError: A field has no meaning.
    """

    predictor_type = Predictor

    def __init__(
        self,
        *,
        in_channels: int = 256,
        feat_channels: int | None = None,
        num_classes: int = 80,
        lang_model_name: str = 'bert-base-uncased',
        lang_config: BertConfig | None = None,
        early_fuse: bool = False,
        num_dyhead_blocks: int = 6,
        fusion: dict | None = None,
        num_groups: int = 16,
        use_dcn: bool = True,
        use_dyfuse: bool = True,
        use_dyrelu: bool = True,
        use_checkpoint: bool = False,
        residual_gate: float | None = None,
        anchor_generator: dict | None = None,
        bbox_coder: dict | None = None,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        loss_centerness: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if feat_channels not in (None, in_channels):
            raise ConfigError(
                f'bbox_head: feat_channels ({feat_channels}) must equal in_channels '
                f'({in_channels})'
            )
        self.early_fuse = early_fuse
        train_cfg = train_cfg or {}
        self.test_cfg = complete_test_cfg(test_cfg)
        self.prior_generator = build_light(
            anchor_generator or _ANCHORS, TASK_UTILS, AnchorGenerator
        )
        self.bbox_coder = TASK_UTILS.build(
            bbox_coder or dict(type='DeltaXYWHBBoxCoderForGLIP')
        )
        self.assigner = TASK_UTILS.build(train_cfg.get('assigner') or _ASSIGNER)
        self.loss_cls = MODELS.build(loss_cls or _LOSS_CLS)
        self.loss_bbox = MODELS.build(
            loss_bbox or dict(type='GIoULoss', loss_weight=2.0)
        )
        self.loss_centerness = build_light(
            loss_centerness or _LOSS_CENTERNESS, MODELS, CrossEntropyLoss
        )
        self.head = VLFusionModule(
            in_channels=in_channels,
            num_levels=self.prior_generator.num_levels,
            num_priors=self.prior_generator.num_base_priors[0],
            lang_config=lang_config or resolve_bert_config(lang_model_name),
            early_fuse=early_fuse,
            num_dyhead_blocks=num_dyhead_blocks,
            fusion=fusion,
            num_groups=num_groups,
            use_dcn=use_dcn,
            use_dyfuse=use_dyfuse,
            use_dyrelu=use_dyrelu,
            use_checkpoint=use_checkpoint,
            residual_gate=residual_gate,
        )

    def forward(
        self, visual: Levels, text: TextFeatures
    ) -> tuple[Levels, Levels, Levels]:
        """Token logits (B, H*W, T), deltas (B, 4, H, W), centerness (B, 1, H, W)."""
        return self.head(visual, text)

    @property
    def predictor(self) -> Predictor:
        """From the parts of this head and its ``test_cfg`` to detections."""
        return self.predictor_type(
            self.head, self.bbox_coder, self.prior_generator, self.test_cfg
        )

    def encode_levels(self, visual: Levels) -> Levels:
        """The tower where it reads no words, else the pyramid (B, C, H, W) as it is."""
        return self.head.encode_levels(visual)

    def encode_pictures(self, levels: Levels) -> PictureFeatures:
        """See :meth:`Predictor.encode_pictures`."""
        return self.predictor.encode_pictures(levels)

    def predict(
        self,
        pictures: PictureFeatures,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Detections for the prompts of each picture, see :meth:`Predictor.predict`."""
        scores_of = [
            [self._scores_of(prompt, text.mask.device) for prompt in picture_prompts]
            for picture_prompts in prompts
        ]
        return self.predictor.predict(
            pictures, text, scores_of, img_metas, rescale=rescale
        )

    def _scores_of(self, prompt: EncodedPrompt, device: torch.device) -> EntityScores:
        """From tokens to classes."""
        aggregation = self.test_cfg['score_agg']

        def build() -> tuple[EncodedPrompt, EntityScores]:
            tokens = len(prompt.input_ids)
            return prompt, EntityScores(prompt, tokens, device, aggregation)

        # The prompt is kept as well, so that its id does not become another's.
        class_maps = FeatureCache.current().class_maps
        return class_maps.get((id(prompt), device, aggregation), build)[1]

    def loss(
        self, levels: Levels, text: TextFeatures, truth: GroundTruth
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            levels: From :meth:`encode_levels`.
            text: Encoded prompts, one per picture.
            truth: Boxes and their tokens, see :func:`collect_ground_truth`.

        Returns:
            ``loss_cls``, ``loss_bbox`` and ``loss_centerness``.
        """
        logits, deltas, centerness = self.head.match(levels, text)
        return self.loss_by_feat(logits, deltas, centerness, text.mask, truth)

    def loss_by_feat(
        self,
        logits: Levels,
        deltas: Levels,
        centerness: Levels,
        token_mask: Tensor,
        truth: GroundTruth,
    ) -> dict[str, Tensor]:
        """Losses from raw predictions.

        Args:
            logits: (B, H*W, T) per level.
            deltas: (B, 4, H, W) per level.
            centerness: (B, 1, H, W) per level.
            token_mask: True where a token is real, (B, T).
            truth: Boxes and their tokens, of which there may be fewer than T.
        """
        anchors, targets = self.assign(deltas, truth, token_mask.shape[1])
        return grounding_losses(
            torch.cat(logits, 1),
            torch.cat([d.flatten(2) for d in deltas], 2).transpose(1, 2),
            torch.cat([c.flatten(1) for c in centerness], 1),
            token_mask=token_mask,
            anchors=anchors,
            targets=targets,
            bbox_coder=self.bbox_coder,
            loss_cls=self.loss_cls,
            loss_bbox=self.loss_bbox,
            loss_centerness=self.loss_centerness,
        )

    def assign(
        self, deltas: Levels, truth: GroundTruth, num_tokens: int
    ) -> tuple[Tensor, Targets]:
        """Anchors and what they should predict.

        Args:
            deltas: (B, 4, H, W) per level; only their sizes matter.
            truth: Boxes and their tokens, of which there may be fewer than
                ``num_tokens``.
            num_tokens: T, tokens of the predictions.

        Returns:
            Inclusive anchors of all levels, (N, 4), and targets of B pictures.
        """
        anchors = inclusive_anchors(
            self.prior_generator,
            [(level.shape[2], level.shape[3]) for level in deltas],
            deltas[0].device,
        )
        missing = num_tokens - truth.tokens.shape[2]
        tokens = F.pad(truth.tokens, (0, missing))
        truth = GroundTruth(truth.boxes, tokens, truth.weights)
        sizes = [len(level) for level in anchors]
        flat = torch.cat(anchors)
        return flat, make_targets(self.assigner, flat, sizes, truth)
