"""Grounding head: words as classifier weights on ATSS anchors."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor
from transformers import BertConfig

from glip.errors import ConfigError
from glip.models.language import TextFeatures, resolve_bert_config
from glip.models.postprocess import (
    EntityScores,
    check_aggregation,
    clip_boxes,
    merge_candidates,
    select_candidates,
)
from glip.ops import to_device
from glip.registry import MODELS, TASK_UTILS
from glip.text import EncodedPrompt

from .ground_truth import GroundTruth
from .losses import grounding_losses
from .targets import make_targets
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
_TEST_CFG = dict(
    nms_pre=1000,
    score_thr=0.05,
    nms=dict(type='nms', iou_threshold=0.6),
    max_per_img=100,
    score_agg='MEAN',
    prompt_batch_size=4,
)
# Positions of all prompts that go through a fused tower together: 2 prompts of a
# picture of 800x1333, which take about 1 GB each in GLIP-T.
_POSITIONS_TOGETHER = 50_000
# Prompts whose map from tokens to classes is kept; LVIS has 31.
_CACHED_SCORES = 1024


@MODELS.register_module()
class ATSSVLFusionHead(BaseModule):
    """Detection head of GLIP (paper section 3; fields as mmdet's class of this name).

    Args:
        in_channels: Channels of every pyramid level.
        feat_channels: Same as ``in_channels``; kept for mmdet's configs.
        num_classes: Unused, the words are the classes; kept for mmdet's configs.
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
        use_checkpoint: Recompute the tower in the backward pass to save memory.
        anchor_generator: Anchors; its strides fix the number of pyramid levels.
        bbox_coder: Box coder.
        loss_cls: Token focal loss.
        loss_bbox: Box loss, weighted by centerness.
        loss_centerness: Centerness loss.
        train_cfg: ``assigner`` (ATSS).
        test_cfg: ``nms_pre``, ``score_thr``, ``nms``, ``max_per_img``, and of our own
            ``score_agg`` (MEAN, MAX, POWER, ONEHOT) and ``prompt_batch_size``
            (prompts of one picture that go through a fused tower together, fewer of
            a large picture).

    Raises:
        ConfigError: A field has no meaning.
    """

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
        self.num_classes = num_classes
        self.early_fuse = early_fuse
        train_cfg = train_cfg or {}
        self.test_cfg = _TEST_CFG | dict(test_cfg or {})
        check_aggregation(self.test_cfg['score_agg'])
        self._scores: OrderedDict[tuple, tuple[EncodedPrompt, EntityScores]] = (
            OrderedDict()
        )
        self.prior_generator = TASK_UTILS.build(anchor_generator or _ANCHORS)
        self.bbox_coder = TASK_UTILS.build(
            bbox_coder or dict(type='DeltaXYWHBBoxCoderForGLIP')
        )
        self.assigner = TASK_UTILS.build(train_cfg.get('assigner') or _ASSIGNER)
        self.loss_cls = MODELS.build(loss_cls or _LOSS_CLS)
        self.loss_bbox = MODELS.build(
            loss_bbox or dict(type='GIoULoss', loss_weight=2.0)
        )
        self.loss_centerness = MODELS.build(loss_centerness or _LOSS_CENTERNESS)
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
        )

    def forward(
        self, visual: Levels, text: TextFeatures
    ) -> tuple[Levels, Levels, Levels]:
        """Token logits (B, H*W, T), deltas (B, 4, H, W), centerness (B, 1, H, W)."""
        return self.head(visual, text)

    def _anchors(self, levels: Levels) -> list[Tensor]:
        """Inclusive anchors (H*W, 4) of each level."""
        generator, device = self.prior_generator, levels[0].device
        # The generator copies these from the host each time unless they are there.
        generator.base_anchors = [base.to(device) for base in generator.base_anchors]
        priors = generator.grid_priors(
            [level.shape[-2:] for level in levels], dtype=torch.float32, device=device
        )
        return [torch.cat((p[:, :2], p[:, 2:] - 1), 1) for p in priors]

    def loss(
        self, visual: Levels, text: TextFeatures, truth: GroundTruth
    ) -> dict[str, Tensor]:
        """Losses of a batch.

        Args:
            visual: Pyramid, (B, C, H, W) per level.
            text: Encoded prompts, one per picture.
            truth: Boxes and their tokens, see :func:`collect_ground_truth`.

        Returns:
            ``loss_cls``, ``loss_bbox`` and ``loss_centerness``.
        """
        return self.loss_by_feat(*self(visual, text), text.mask, truth)

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
        anchors = self._anchors(deltas)
        sizes = [len(level) for level in anchors]
        anchors = torch.cat(anchors)
        missing = token_mask.shape[1] - truth.tokens.shape[2]
        truth = GroundTruth(truth.boxes, F.pad(truth.tokens, (0, missing)))
        return grounding_losses(
            torch.cat(logits, 1),
            torch.cat([d.flatten(2) for d in deltas], 2).transpose(1, 2),
            torch.cat([c.flatten(1) for c in centerness], 1),
            token_mask=token_mask,
            anchors=anchors,
            targets=make_targets(self.assigner, anchors, sizes, truth),
            bbox_coder=self.bbox_coder,
            loss_cls=self.loss_cls,
            loss_bbox=self.loss_bbox,
            loss_centerness=self.loss_centerness,
        )

    def predict(
        self,
        visual: Levels,
        text: TextFeatures,
        prompts: Sequence[Sequence[EncodedPrompt]],
        img_metas: Sequence[dict],
        *,
        rescale: bool = True,
    ) -> list[InstanceData]:
        """Detections of a batch in which every picture may have several prompts.

        Args:
            visual: Pyramid of B pictures.
            text: Features of all prompts, picture after picture.
            prompts: Prompts of each picture.
            img_metas: ``img_shape`` and ``scale_factor`` of each picture.
            rescale: Return boxes in pixels of the original picture.

        Returns:
            Per picture ``bboxes`` (N, 4), ``scores`` (N,), ``labels`` (N,), by
            descending score.
        """
        anchors = self._anchors(visual)
        if self.early_fuse:
            raw = self._fused(visual, text, [len(p) for p in prompts])
        else:
            raw = self._unfused(visual, text, [len(p) for p in prompts])
        results = []
        for picture_prompts, meta in zip(prompts, img_metas, strict=True):
            found, regressed, boxes = [], None, []
            for prompt in picture_prompts:
                logits, deltas, centerness = next(raw)
                # Without fusion all prompts of a picture have the same boxes.
                if deltas is not regressed:
                    regressed, boxes = deltas, self._boxes(anchors, deltas, meta)
                found.append(self._candidates(logits, boxes, centerness, prompt))
            candidates = (torch.cat(parts) for parts in zip(*found, strict=True))
            results.append(self._finish(*candidates, meta, rescale))
        return results

    def _unfused(
        self, visual: Levels, text: TextFeatures, counts: list[int]
    ) -> Iterator[tuple[list[Tensor], list[Tensor], list[Tensor]]]:
        """Yield logits, deltas and centerness per level for each prompt in order.

        The tower does not read the words, so a picture goes through it once, and a
        prompt costs one product of its positions with the tokens.
        """
        visual, _ = self.head.tower(visual, text)
        deltas, centerness = self.head.boxes(visual)
        row = 0
        for picture, count in enumerate(counts):
            one = tuple(level[picture : picture + 1] for level in visual)
            own_deltas = [level[picture] for level in deltas]
            own_centerness = [level[picture] for level in centerness]
            for _ in range(count):
                logits = self.head.token_logits(one, text.take(slice(row, row + 1)))
                yield [level[0] for level in logits], own_deltas, own_centerness
                row += 1

    def _fused(
        self, visual: Levels, text: TextFeatures, counts: list[int]
    ) -> Iterator[tuple[list[Tensor], list[Tensor], list[Tensor]]]:
        """As :meth:`_unfused`, several prompts over the same features at a time."""
        owner = torch.tensor(
            [i for i, count in enumerate(counts) for _ in range(count)]
        )
        positions = sum(level.shape[2] * level.shape[3] for level in visual)
        size = min(
            int(self.test_cfg['prompt_batch_size']), _POSITIONS_TOGETHER // positions
        )
        size = max(size, len(counts))
        for start in range(0, len(owner), size):
            rows = slice(start, start + size)
            pictures = to_device(owner[rows], text.mask.device)
            outs = self.head(
                tuple(level[pictures] for level in visual), text.take(rows)
            )
            for i in range(len(pictures)):
                yield tuple([level[i] for level in kind] for kind in outs)

    def _boxes(
        self, anchors: Sequence[Tensor], deltas: Sequence[Tensor], meta: dict
    ) -> list[Tensor]:
        """Boxes (H*W, 4) per level inside a picture, from deltas (4, H, W)."""
        return [
            clip_boxes(
                self.bbox_coder.decode(prior, delta.flatten(1).t().float()),
                meta['img_shape'],
            )
            for prior, delta in zip(anchors, deltas, strict=True)
        ]

    def _candidates(
        self,
        logits: Sequence[Tensor],
        boxes: Sequence[Tensor],
        centerness: Sequence[Tensor],
        prompt: EncodedPrompt,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Candidates of one picture and prompt: (H*W, T), (H*W, 4), (1, H, W)."""
        return select_candidates(
            logits,
            boxes,
            [level.flatten() for level in centerness],
            self._scores_of(prompt, logits[0]),
            score_thr=self.test_cfg['score_thr'],
            nms_pre=self.test_cfg['nms_pre'],
        )

    def _scores_of(self, prompt: EncodedPrompt, logits: Tensor) -> EntityScores:
        """From tokens to classes, made once per prompt."""
        how = self.test_cfg['score_agg']
        key = (id(prompt), logits.shape[-1], logits.device, how)
        if key not in self._scores:
            made = EntityScores(prompt, logits.shape[-1], logits.device, how)
            self._scores[key] = (prompt, made)  # kept, so its id stays its own
            if len(self._scores) > _CACHED_SCORES:
                self._scores.popitem(last=False)
        self._scores.move_to_end(key)
        return self._scores[key][1]

    def _finish(
        self, boxes: Tensor, scores: Tensor, labels: Tensor, meta: dict, rescale: bool
    ) -> InstanceData:
        boxes, scores, labels = merge_candidates(
            boxes,
            scores,
            labels,
            iou_threshold=self.test_cfg['nms']['iou_threshold'],
            max_per_img=self.test_cfg['max_per_img'],
        )
        if rescale:
            factor = meta.get('scale_factor', (1.0, 1.0))  # nothing was resized
            boxes = boxes / boxes.new_tensor(factor).repeat(2)
        # Inclusive to half-open, after rescaling: the order of the published numbers.
        boxes = boxes + boxes.new_tensor([0, 0, 1, 1])
        return InstanceData(bboxes=boxes, scores=scores, labels=labels)
