"""GLIP that learns new things and keeps what it knew."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from glip.errors import ConfigError
from glip.models.dense_heads import collect_ground_truth
from glip.models.dense_heads.targets import Targets
from glip.models.detectors.glip import GLIP
from glip.ops import iou_inclusive
from glip.registry import MODELS
from glip.text import EncodedPrompt

# Best score in a picture from which on the teacher knows a word.
_KNOWN_FROM = 0.01


@MODELS.register_module()
class SelfTaughtGLIP(GLIP):
    """GLIP in training whose targets come from people and from its own start.

    A frozen copy of the start, the teacher, scores the words of every prompt. The
    target of a word at an anchor is ``teacher_share`` of the teacher's score and the
    rest of what people drew: the IoU of the predicted box with the drawn one where the
    anchor belongs to a box of that word, else zero. Of a drawn word that scores next
    to nothing all over the picture the teacher knows nothing: people decide alone.
    The loss is the quality focal loss (arXiv 2006.04388, eq. 6), which takes the place
    of the hard focal loss; losses of boxes and centerness are GLIP's. So soft knowledge
    of unlabelled things and of look-alikes survives a training on few pictures, and
    scores stay calibrated.

    The teacher is put in by :class:`~glip.engine.hooks.SelfTeacherHook`, is no part of
    the state dict, and is needed in training only.

    Args:
        teacher_share: Share of the teacher in the targets of a word, 0 to 1.
        soft_loss_weight: Weight of the quality focal loss.
        **kwargs: Those of :class:`GLIP`.

    Raises:
        ConfigError: The share is no share.
    """

    def __init__(
        self, *, teacher_share: float = 0.5, soft_loss_weight: float = 3.0, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= teacher_share <= 1:
            raise ConfigError(f'teacher_share is from 0 to 1, not {teacher_share}')
        self.teacher_share = teacher_share
        self.soft_loss_weight = soft_loss_weight
        self._teacher: tuple[GLIP, ...] = ()

    @property
    def teacher(self) -> GLIP | None:
        """The frozen copy of the start."""
        return self._teacher[0] if self._teacher else None

    def set_teacher(self, teacher: GLIP) -> None:
        """Put in the frozen copy of the start."""
        # In a tuple, so that it is no submodule: neither saved nor trained.
        self._teacher = (teacher.eval().requires_grad_(False),)

    def loss(
        self, batch_inputs: Tensor, batch_data_samples: Sequence
    ) -> dict[str, Tensor]:
        """Training losses (mode='loss').

        Returns:
            ``loss_soft``, ``loss_bbox`` and ``loss_centerness``.

        Raises:
            ConfigError: No teacher was put in.
        """
        teacher = self.teacher
        if teacher is None:
            raise ConfigError(
                'SelfTaughtGLIP has no teacher: add the SelfTeacherHook to custom_hooks'
            )
        prompts = self.single_prompts(batch_data_samples, truncate=True)
        truth = collect_ground_truth(batch_data_samples, prompts)
        text = self.encode_text(prompts)
        visual = self.extract_feat(batch_inputs)
        outputs = self.bbox_head(visual, text)
        losses = self.bbox_head.loss_by_feat(*outputs, text.mask, truth)
        losses.pop('loss_cls')
        anchors, targets = self.bbox_head.assign(outputs[1], truth, text.mask.shape[1])
        deltas = torch.cat([d.flatten(2) for d in outputs[1]], 2).transpose(1, 2)
        losses['loss_soft'] = self.soft_loss_weight * self._soft_loss(
            torch.cat(outputs[0], 1).float(),
            self._teacher_scores(teacher, batch_inputs, visual, prompts),
            self._qualities(anchors, deltas.detach().float(), targets),
            targets,
            prompts,
        )
        return losses

    @torch.no_grad()
    def _teacher_scores(
        self,
        teacher: GLIP,
        batch_inputs: Tensor,
        visual: tuple[Tensor, ...],
        prompts: Sequence[EncodedPrompt],
    ) -> Tensor:
        """Probabilities of the teacher, (B, N, T)."""
        if any(
            p.requires_grad for m in (self.backbone, self.neck) for p in m.parameters()
        ):
            visual = teacher.extract_feat(batch_inputs)  # else frozen, and the same
        logits, _, _ = teacher.bbox_head(visual, teacher.language_model(prompts))
        return torch.cat(logits, 1).float().sigmoid()

    def _qualities(self, anchors: Tensor, deltas: Tensor, targets: Targets) -> Tensor:
        """IoU of predicted and drawn boxes where an anchor has one, else 0, (B, N)."""
        boxes = self.bbox_head.bbox_coder.decode(anchors.expand_as(deltas), deltas)
        quality = iou_inclusive(boxes, targets.boxes).clamp(0, 1)
        return quality.where(targets.positive, 0)

    def _soft_loss(
        self,
        logits: Tensor,
        teacher: Tensor,
        qualities: Tensor,
        targets: Targets,
        prompts: Sequence[EncodedPrompt],
    ) -> Tensor:
        """Quality focal loss over the tokens of entities, per positive anchor."""
        at_boxes = targets.tokens & targets.positive[..., None]
        drawn = qualities[..., None] * at_boxes
        silent = teacher.amax(1, keepdim=True) < _KNOWN_FROM
        unknown = at_boxes.any(1, keepdim=True) & silent
        share = torch.where(unknown, 0.0, self.teacher_share)
        target = share * teacher + (1 - share) * drawn
        asked = logits.new_zeros(len(prompts), 1, logits.shape[2])
        for row, prompt in enumerate(prompts):
            tokens = sorted({token for e in prompt.entity_tokens for token in e})
            asked[row, 0, tokens] = 1
        gap = (logits.sigmoid() - target).detach().square()
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
        loss = loss * gap * asked
        if targets.weights is not None:
            loss = loss * targets.weights[..., None]
        return loss.sum() / targets.positive.sum().clamp(min=1)
